// A small program over named quantities of a simulation: what an expression of a task is compiled
// to. It is checked whole when it is made, so that running it needs no checks.
#pragma once

#include <mujoco/mujoco.h>

#include <cstdint>
#include <string>
#include <vector>

namespace pgcore {

// What a program may look at besides the state at hand.
struct ProgramRules {
  int memory = 0;         // values that were kept ahead of the step
  bool contacts = false;  // contacts: they are of a step, and no part of a state that is kept
};

// The text of a program is instructions with ";" between, each a word and its operands. They work
// on a stack of vectors; of two operands of which one has one entry, that one counts for all of
// the other's.
//
//   constant VALUE                      push a number
//   field NAME START COUNT              push entries of an array of mjData
//   time                                push the simulated time
//   velocity body|site ID world|local   push 6 values: angular, linear (mj_objectVelocity)
//   contact geom|body ID ID             push whether two of them push each other; -1: any
//   memory START COUNT                  push what was kept ahead of the step
//   slice START COUNT                   some of the top's entries
//   join COUNT                          the topmost vectors as one
//   power EXPONENT                      2, 3 or 4: products, left to right
//   tolerance                           of x, low, high, margin, scale: 1 inside, a bell outside
//   negative abs sqrt exp log sin cos tanh not
//   add subtract multiply divide pow minimum maximum less less_equal equal not_equal and or
//   sum mean norm least greatest        of one vector, left to right; dot of two
//   where                               of condition, then, else
class Program {
 public:
  // Throws std::invalid_argument for a text that is no program of this model.
  Program(const std::string& text, const mjModel& m, const ProgramRules& rules);

  // Number of values that it computes.
  int size() const noexcept { return size_; }
  bool reads_contact_forces() const noexcept { return reads_contact_forces_; }

  // Write its values to out [size()]. memory: as many values as the rules said.
  void run(const mjModel& m, const mjData& d, const double* memory, double* out) const noexcept;

  struct Instruction {
    std::uint8_t op = 0;
    int a = 0, b = 0, c = 0;     // operands
    int n1 = 0, n2 = 0, n3 = 0;  // sizes of the vectors it takes, the topmost last
    double value = 0.0;
    mjtNum* mjData::* field = nullptr;
  };

 private:
  std::vector<Instruction> code_;
  int size_ = 0;
  bool reads_contact_forces_ = false;
};

}  // namespace pgcore
