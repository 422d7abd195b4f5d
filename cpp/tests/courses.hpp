// Tests of streams that go on from a state: branches, and rollouts in several calls.
#pragma once

namespace pgcore::tests {

void continuations_start_from_the_same_state();
void a_rollout_goes_on();

}  // namespace pgcore::tests
