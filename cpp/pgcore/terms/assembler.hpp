// From the text of a program to instructions whose sizes and places are checked. Used by Program.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pgcore/terms/program.hpp"

namespace pgcore {

constexpr int kMostValues = 4096;  // on the stack of a program
constexpr int kMostInstructions = 4096;

enum class Op : std::uint8_t {
  kConstant,
  kField,
  kTime,
  kVelocity,
  kContact,
  kMemory,
  kSlice,
  kJoin,
  kPower,
  kTolerance,
  kNegative,
  kAbs,
  kSqrt,
  kExp,
  kLog,
  kSin,
  kCos,
  kTanh,
  kNot,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kPow,
  kMinimum,
  kMaximum,
  kLess,
  kLessEqual,
  kEqual,
  kNotEqual,
  kAnd,
  kOr,
  kSum,
  kMean,
  kNorm,
  kLeast,
  kGreatest,
  kDot,
  kWhere
};

class Assembler {
 public:
  Assembler(const mjModel& m, const ProgramRules& rules) : m_(m), rules_(rules) {}

  // Throws std::invalid_argument that names the instruction.
  std::vector<Program::Instruction> assemble(const std::string& text);

  // Of the program's value, and whether it reads cfrc_ext.
  int size() const noexcept { return sizes_.front(); }
  bool reads_contact_forces() const noexcept { return reads_contact_forces_; }

 private:
  using Words = std::vector<std::string_view>;

  Program::Instruction instruction(const Words& words);
  void read_operands(Program::Instruction& i, const Words& words);
  void take_from_stack(Program::Instruction& i);
  void find_field(Program::Instruction& i, std::string_view name);
  int broadcast(int x, int y) const;
  int pop();
  void push(int size);
  int number(std::string_view word, std::int64_t low, std::int64_t high) const;
  int choice(std::string_view word, std::string_view first, std::string_view second) const;
  [[noreturn]] void fail(const std::string& expected) const;

  const mjModel& m_;
  ProgramRules rules_;
  std::vector<int> sizes_;  // of the vectors on the stack
  int depth_ = 0;           // their sum
  bool reads_contact_forces_ = false;
  std::string place_;  // of the instruction at hand, for errors
};

}  // namespace pgcore
