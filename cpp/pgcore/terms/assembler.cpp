#include "pgcore/terms/assembler.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <stdexcept>

namespace pgcore {
namespace {

using Instruction = Program::Instruction;

// What an instruction takes from the stack.
enum class Takes : std::uint8_t { kNothing, kOne, kTwo, kFold, kOwn };

struct Row {
  std::string_view word;
  Op op;
  std::size_t operands;
  Takes takes;
};

constexpr std::array kRows = {
    Row{"constant", Op::kConstant, 1, Takes::kNothing},
    Row{"field", Op::kField, 3, Takes::kNothing},
    Row{"time", Op::kTime, 0, Takes::kNothing},
    Row{"velocity", Op::kVelocity, 3, Takes::kNothing},
    Row{"contact", Op::kContact, 3, Takes::kNothing},
    Row{"memory", Op::kMemory, 2, Takes::kNothing},
    Row{"slice", Op::kSlice, 2, Takes::kOwn},
    Row{"join", Op::kJoin, 1, Takes::kOwn},
    Row{"power", Op::kPower, 1, Takes::kOne},
    Row{"tolerance", Op::kTolerance, 0, Takes::kOwn},
    Row{"negative", Op::kNegative, 0, Takes::kOne},
    Row{"abs", Op::kAbs, 0, Takes::kOne},
    Row{"sqrt", Op::kSqrt, 0, Takes::kOne},
    Row{"exp", Op::kExp, 0, Takes::kOne},
    Row{"log", Op::kLog, 0, Takes::kOne},
    Row{"sin", Op::kSin, 0, Takes::kOne},
    Row{"cos", Op::kCos, 0, Takes::kOne},
    Row{"tanh", Op::kTanh, 0, Takes::kOne},
    Row{"not", Op::kNot, 0, Takes::kOne},
    Row{"add", Op::kAdd, 0, Takes::kTwo},
    Row{"subtract", Op::kSubtract, 0, Takes::kTwo},
    Row{"multiply", Op::kMultiply, 0, Takes::kTwo},
    Row{"divide", Op::kDivide, 0, Takes::kTwo},
    Row{"pow", Op::kPow, 0, Takes::kTwo},
    Row{"minimum", Op::kMinimum, 0, Takes::kTwo},
    Row{"maximum", Op::kMaximum, 0, Takes::kTwo},
    Row{"less", Op::kLess, 0, Takes::kTwo},
    Row{"less_equal", Op::kLessEqual, 0, Takes::kTwo},
    Row{"equal", Op::kEqual, 0, Takes::kTwo},
    Row{"not_equal", Op::kNotEqual, 0, Takes::kTwo},
    Row{"and", Op::kAnd, 0, Takes::kTwo},
    Row{"or", Op::kOr, 0, Takes::kTwo},
    Row{"sum", Op::kSum, 0, Takes::kFold},
    Row{"mean", Op::kMean, 0, Takes::kFold},
    Row{"norm", Op::kNorm, 0, Takes::kFold},
    Row{"least", Op::kLeast, 0, Takes::kFold},
    Row{"greatest", Op::kGreatest, 0, Takes::kFold},
    Row{"dot", Op::kDot, 0, Takes::kOwn},
    Row{"where", Op::kWhere, 0, Takes::kOwn},
};

const Row* find_row(std::string_view word) {
  const auto* row = std::ranges::find(kRows, word, &Row::word);
  return row == kRows.end() ? nullptr : row;
}

// Force outputs of all actuators: one each, until MuJoCo 4 counted them.
template <typename Model>
std::int64_t outputs(const Model& m) {
  if constexpr (requires { m.nout; }) {
    return m.nout;
  } else {
    return m.nu;
  }
}

struct Field {
  std::string_view name;
  mjtNum* mjData::* values;
  std::int64_t size;
};

auto fields(const mjModel& m) {
  return std::array{
      Field{"qpos", &mjData::qpos, m.nq},
      Field{"qvel", &mjData::qvel, m.nv},
      Field{"act", &mjData::act, m.na},
      Field{"ctrl", &mjData::ctrl, m.nu},
      Field{"sensordata", &mjData::sensordata, m.nsensordata},
      Field{"xpos", &mjData::xpos, 3 * std::int64_t{m.nbody}},
      Field{"xquat", &mjData::xquat, 4 * std::int64_t{m.nbody}},
      Field{"xmat", &mjData::xmat, 9 * std::int64_t{m.nbody}},
      Field{"subtree_com", &mjData::subtree_com, 3 * std::int64_t{m.nbody}},
      Field{"cfrc_ext", &mjData::cfrc_ext, 6 * std::int64_t{m.nbody}},
      Field{"site_xpos", &mjData::site_xpos, 3 * std::int64_t{m.nsite}},
      Field{"site_xmat", &mjData::site_xmat, 9 * std::int64_t{m.nsite}},
      Field{"geom_xpos", &mjData::geom_xpos, 3 * std::int64_t{m.ngeom}},
      Field{"ten_length", &mjData::ten_length, m.ntendon},
      Field{"ten_velocity", &mjData::ten_velocity, m.ntendon},
      Field{"actuator_force", &mjData::actuator_force, outputs(m)},
      Field{"qfrc_actuator", &mjData::qfrc_actuator, m.nv},
      Field{"qfrc_constraint", &mjData::qfrc_constraint, m.nv},
  };
}

std::vector<std::string_view> split(std::string_view text, char mark) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(mark);
    const std::string_view part = text.substr(0, end);
    if (!part.empty() || mark != ' ') parts.push_back(part);
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::vector<Instruction> Assembler::assemble(const std::string& text) {
  std::vector<Instruction> code;
  for (const std::string_view part : split(text, ';')) {
    place_ = "instruction " + std::to_string(code.size() + 1) + ", '" + std::string(part) + "'";
    if (code.size() == kMostInstructions) {
      fail("at most " + std::to_string(kMostInstructions) + " instructions");
    }
    code.push_back(instruction(split(part, ' ')));
  }
  if (sizes_.size() != 1) fail("one value left at the end");
  return code;
}

Instruction Assembler::instruction(const Words& words) {
  const Row* row = words.empty() ? nullptr : find_row(words.front());
  if (row == nullptr) fail("an instruction");
  if (words.size() != row->operands + 1) fail(std::to_string(row->operands) + " operands");
  Instruction i;
  i.op = static_cast<std::uint8_t>(row->op);
  read_operands(i, words);
  switch (row->takes) {
    case Takes::kNothing:
      break;
    case Takes::kOne:
      push(i.n1 = pop());
      break;
    case Takes::kTwo:
      i.n2 = pop();
      i.n1 = pop();
      push(broadcast(i.n1, i.n2));
      break;
    case Takes::kFold:
      i.n1 = pop();
      push(1);
      break;
    case Takes::kOwn:
      take_from_stack(i);
  }
  return i;
}

void Assembler::read_operands(Instruction& i, const Words& words) {
  switch (static_cast<Op>(i.op)) {
    case Op::kConstant: {
      const std::string_view word = words[1];
      const auto end = std::from_chars(word.data(), word.data() + word.size(), i.value);
      if (end.ec != std::errc{} || end.ptr != word.data() + word.size()) fail("a number");
      return push(1);
    }
    case Op::kField:
      find_field(i, words[1]);
      i.a = number(words[2], 0, i.c);
      i.b = number(words[3], 1, i.c - i.a);
      return push(i.b);
    case Op::kTime:
      return push(1);
    case Op::kVelocity:
      i.a = choice(words[1], "body", "site");
      i.b = number(words[2], 0, (i.a == 0 ? m_.nbody : m_.nsite) - 1);
      i.c = choice(words[3], "world", "local");
      return push(6);
    case Op::kContact: {
      if (!rules_.contacts) fail("no contact here: they are of a step");
      i.a = choice(words[1], "geom", "body");
      const auto count = i.a == 0 ? m_.ngeom : m_.nbody;
      i.b = number(words[2], 0, count - 1);
      i.c = number(words[3], -1, count - 1);
      return push(1);
    }
    case Op::kMemory:
      i.a = number(words[1], 0, rules_.memory);
      i.b = number(words[2], 1, rules_.memory - i.a);
      return push(i.b);
    case Op::kSlice:
      i.a = number(words[1], 0, kMostValues);
      i.b = number(words[2], 1, kMostValues);
      return;
    case Op::kJoin:
      i.a = number(words[1], 1, kMostValues);
      return;
    case Op::kPower:
      i.a = number(words[1], 2, 4);
      return;
    default:
      return;
  }
}

void Assembler::take_from_stack(Instruction& i) {
  switch (static_cast<Op>(i.op)) {
    case Op::kSlice:
      i.n1 = pop();
      if (i.a + i.b > i.n1) fail("entries of a vector of " + std::to_string(i.n1));
      return push(i.b);
    case Op::kJoin: {
      int total = 0;
      for (int k = 0; k < i.a; ++k) total += pop();
      return push(total);
    }
    case Op::kTolerance:
      for (int k = 0; k < 4; ++k) {
        if (pop() != 1) fail("low, high, margin and scale as numbers");
      }
      return push(i.n1 = pop());
    case Op::kDot:
      i.n2 = pop();
      i.n1 = pop();
      if (i.n1 != i.n2) fail("two vectors of one size");
      return push(1);
    default:  // where
      i.n3 = pop();
      i.n2 = pop();
      i.n1 = pop();
      push(broadcast(i.n1, broadcast(i.n2, i.n3)));
  }
}

// Its address goes to `field`, its size to `c`.
void Assembler::find_field(Instruction& i, std::string_view name) {
  const auto all = fields(m_);
  const auto* found = std::ranges::find(all, name, &Field::name);
  if (found == all.end()) fail("an array of mjData");
  i.field = found->values;
  i.c = static_cast<int>(found->size);
  reads_contact_forces_ = reads_contact_forces_ || found->values == &mjData::cfrc_ext;
}

int Assembler::broadcast(int x, int y) const {
  if (x != y && x != 1 && y != 1) {
    fail("vectors of one size, not of " + std::to_string(x) + " and " + std::to_string(y));
  }
  return std::max(x, y);
}

int Assembler::pop() {
  if (sizes_.empty()) fail("more values on the stack");
  const int size = sizes_.back();
  sizes_.pop_back();
  depth_ -= size;
  return size;
}

void Assembler::push(int size) {
  sizes_.push_back(size);
  depth_ += size;
  if (depth_ > kMostValues) fail("at most " + std::to_string(kMostValues) + " values at a time");
}

int Assembler::number(std::string_view word, std::int64_t low, std::int64_t high) const {
  std::int64_t value = 0;
  const auto end = std::from_chars(word.data(), word.data() + word.size(), value);
  const bool whole = end.ec == std::errc{} && end.ptr == word.data() + word.size();
  if (!whole || value < low || value > high) {
    fail("an integer from " + std::to_string(low) + " to " + std::to_string(high) + ", not '" +
         std::string(word) + "'");
  }
  return static_cast<int>(value);
}

int Assembler::choice(std::string_view word, std::string_view first,
                      std::string_view second) const {
  if (word != first && word != second) {
    fail(std::string(first) + " or " + std::string(second) + ", not '" + std::string(word) + "'");
  }
  return word == second ? 1 : 0;
}

void Assembler::fail(const std::string& expected) const {
  throw std::invalid_argument("program: " + place_ + ": expected " + expected);
}

}  // namespace pgcore
