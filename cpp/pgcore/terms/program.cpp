#include "pgcore/terms/program.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "pgcore/terms/assembler.hpp"

namespace pgcore {
namespace {

using Instruction = Program::Instruction;

// Space of one thread; trivially destructible, since MuJoCo may leave a simulation with longjmp.
thread_local std::array<double, kMostValues> stack;

template <typename Function>
void each(double* top, int n, Function f) noexcept {
  for (double* x = top - n; x < top; ++x) *x = f(*x);
}

// f of two vectors, of which one may be a number; returns the new top. The result lies where the
// first operand begins: no entry is overwritten before it is read.
template <typename Function>
double* both(double* top, const Instruction& i, Function f) noexcept {
  double* out = top - i.n1 - i.n2;
  const double* y = top - i.n2;
  const double x0 = out[0];
  const double y0 = y[0];
  const int n = std::max(i.n1, i.n2);
  for (int k = 0; k < n; ++k) out[k] = f(i.n1 == 1 ? x0 : out[k], i.n2 == 1 ? y0 : y[k]);
  return out + n;
}

double* choose(double* top, const Instruction& i) noexcept {
  double* out = top - i.n1 - i.n2 - i.n3;
  const double* x = out + i.n1;
  const double* y = x + i.n2;
  const std::array<double, 3> first = {out[0], x[0], y[0]};
  const int n = std::max({i.n1, i.n2, i.n3});
  for (int k = 0; k < n; ++k) {
    const double condition = i.n1 == 1 ? first[0] : out[k];
    const double then = i.n2 == 1 ? first[1] : x[k];
    const double otherwise = i.n3 == 1 ? first[2] : y[k];
    out[k] = condition != 0.0 ? then : otherwise;
  }
  return out + n;
}

// The vector becomes one number: f(number so far, entry), left to right.
template <typename Function>
double* fold(double* top, int n, double start, Function f) noexcept {
  double* out = top - n;
  double result = start;
  for (const double* x = out; x < top; ++x) result = f(result, *x);
  *out = result;
  return out + 1;
}

double smaller(double x, double y) noexcept { return x <= y || std::isnan(x) ? x : y; }
double larger(double x, double y) noexcept { return x >= y || std::isnan(x) ? x : y; }
double add(double x, double y) noexcept { return x + y; }
double add_square(double sum, double x) noexcept { return sum + x * x; }

double power(double x, int exponent) noexcept {
  double result = x;
  for (int k = 1; k < exponent; ++k) result *= x;
  return result;
}

double* dot(double* top, const Instruction& i) noexcept {
  double* x = top - i.n1 - i.n2;
  const double* y = top - i.n2;
  double sum = 0.0;
  for (int k = 0; k < i.n1; ++k) sum += x[k] * y[k];
  *x = sum;
  return x + 1;
}

double* tolerance(double* top, const Instruction& i) noexcept {
  const double low = top[-4], high = top[-3], margin = top[-2], scale = top[-1];
  top -= 4;
  each(top, i.n1, [=](double x) {
    if (low <= x && x <= high) return 1.0;
    if (margin == 0.0) return std::isnan(x) ? x : 0.0;
    const double distance = (x < low ? low - x : x - high) / margin * scale;
    return std::exp(-0.5 * (distance * distance));
  });
  return top;
}

bool is_one_of(const mjModel& m, bool bodies, int geom, int id) noexcept {
  return geom >= 0 && (bodies ? m.geom_bodyid[geom] : geom) == id;
}

// Whether a geom (or body) and another one, or anything, are in a contact that acts.
bool touch(const mjModel& m, const mjData& d, const Instruction& i) noexcept {
  const bool bodies = i.a == 1;
  for (int k = 0; k < d.ncon; ++k) {
    const mjContact& contact = d.contact[k];
    if (contact.exclude != 0) continue;
    for (int side = 0; side < 2; ++side) {
      const int one = contact.geom[side];
      const int other = contact.geom[1 - side];
      if (is_one_of(m, bodies, one, i.b) && (i.c < 0 || is_one_of(m, bodies, other, i.c))) {
        return true;
      }
    }
  }
  return false;
}

double* push(double* top, const double* values, int n) noexcept {
  std::copy_n(values, n, top);
  return top + n;
}

double* slice(double* top, const Instruction& i) noexcept {
  double* out = top - i.n1;
  std::copy(out + i.a, out + i.a + i.b, out);
  return out + i.b;
}

double truth(bool holds) noexcept { return holds ? 1.0 : 0.0; }

// The new top after an instruction that computes with what is on the stack.
double* compute(double* top, const Instruction& i) noexcept {
  switch (static_cast<Op>(i.op)) {
    case Op::kNegative:
      return each(top, i.n1, [](double x) { return -x; }), top;
    case Op::kAbs:
      return each(top, i.n1, [](double x) { return std::abs(x); }), top;
    case Op::kSqrt:
      return each(top, i.n1, [](double x) { return std::sqrt(x); }), top;
    case Op::kExp:
      return each(top, i.n1, [](double x) { return std::exp(x); }), top;
    case Op::kLog:
      return each(top, i.n1, [](double x) { return std::log(x); }), top;
    case Op::kSin:
      return each(top, i.n1, [](double x) { return std::sin(x); }), top;
    case Op::kCos:
      return each(top, i.n1, [](double x) { return std::cos(x); }), top;
    case Op::kTanh:
      return each(top, i.n1, [](double x) { return std::tanh(x); }), top;
    case Op::kNot:
      return each(top, i.n1, [](double x) { return truth(x == 0.0); }), top;
    case Op::kPower:
      return each(top, i.n1, [&](double x) { return power(x, i.a); }), top;
    case Op::kTolerance:
      return tolerance(top, i);
    case Op::kAdd:
      return both(top, i, add);
    case Op::kSubtract:
      return both(top, i, [](double x, double y) { return x - y; });
    case Op::kMultiply:
      return both(top, i, [](double x, double y) { return x * y; });
    case Op::kDivide:
      return both(top, i, [](double x, double y) { return x / y; });
    case Op::kPow:
      return both(top, i, [](double x, double y) { return std::pow(x, y); });
    case Op::kMinimum:
      return both(top, i, smaller);
    case Op::kMaximum:
      return both(top, i, larger);
    case Op::kLess:
      return both(top, i, [](double x, double y) { return truth(x < y); });
    case Op::kLessEqual:
      return both(top, i, [](double x, double y) { return truth(x <= y); });
    case Op::kEqual:
      return both(top, i, [](double x, double y) { return truth(x == y); });
    case Op::kNotEqual:
      return both(top, i, [](double x, double y) { return truth(x != y); });
    case Op::kAnd:
      return both(top, i, [](double x, double y) { return truth(x != 0.0 && y != 0.0); });
    case Op::kOr:
      return both(top, i, [](double x, double y) { return truth(x != 0.0 || y != 0.0); });
    case Op::kSum:
      return fold(top, i.n1, 0.0, add);
    case Op::kMean:
      top = fold(top, i.n1, 0.0, add);
      top[-1] /= i.n1;
      return top;
    case Op::kNorm:
      top = fold(top, i.n1, 0.0, add_square);
      top[-1] = std::sqrt(top[-1]);
      return top;
    case Op::kLeast:
      return fold(top, i.n1, top[-i.n1], smaller);
    case Op::kGreatest:
      return fold(top, i.n1, top[-i.n1], larger);
    case Op::kDot:
      return dot(top, i);
    case Op::kWhere:
      return choose(top, i);
    case Op::kSlice:
      return slice(top, i);
    default:  // a join: the vectors lie side by side already
      return top;
  }
}

}  // namespace

Program::Program(const std::string& text, const mjModel& m, const ProgramRules& rules) {
  Assembler assembler(m, rules);
  code_ = assembler.assemble(text);
  size_ = assembler.size();
  reads_contact_forces_ = assembler.reads_contact_forces();
}

void Program::run(const mjModel& m, const mjData& d, const double* memory,
                  double* out) const noexcept {
  double* top = stack.data();
  for (const Instruction& i : code_) {
    switch (static_cast<Op>(i.op)) {
      case Op::kConstant:
        *top++ = i.value;
        break;
      case Op::kField:
        top = push(top, d.*i.field + i.a, i.b);
        break;
      case Op::kTime:
        *top++ = d.time;
        break;
      case Op::kVelocity:
        mj_objectVelocity(&m, &d, i.a == 0 ? mjOBJ_XBODY : mjOBJ_SITE, i.b, top, i.c);
        top += 6;
        break;
      case Op::kContact:
        *top++ = truth(touch(m, d, i));
        break;
      case Op::kMemory:
        top = push(top, memory + i.a, i.b);
        break;
      default:
        top = compute(top, i);
    }
  }
  std::copy_n(stack.data(), size_, out);
}

}  // namespace pgcore
