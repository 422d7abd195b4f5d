// Tests of simulations that go on from a state: branches, rollouts in several calls, environments.
#pragma once

namespace pgcore::tests {

void continuations_start_from_the_same_state();
void a_rollout_goes_on();
void pieces_keep_every_bootstrap();
void environments_go_where_streams_do();
void errors_stay_in_their_environments();

}  // namespace pgcore::tests
