#include <array>
#include <charconv>
#include <string>
#include <utility>

#include "pgcore/terms/term.hpp"

namespace pgcore {
namespace {

// The joint that owns an entry of qpos (or qvel), and the entry's offset in that joint.
struct Owner {
  int joint;
  int offset;
};

Owner owner_of(const mjModel& m, const int* addresses, int index) {
  int joint = 0;
  while (joint + 1 < m.njnt && addresses[joint + 1] <= index) ++joint;
  return {joint, index - addresses[joint]};
}

std::string name_or_number(const mjModel& m, mjtObj kind, int id, const char* word) {
  const char* name = mj_id2name(&m, kind, id);
  return name != nullptr && *name != '\0' ? name : std::string(word) + " " + std::to_string(id);
}

// The word for a kind of object, and how many the model has.
std::pair<const char*, int> what_is(const mjModel& m, mjtObj kind) {
  switch (kind) {
    case mjOBJ_BODY:
      return {"body", static_cast<int>(m.nbody)};
    case mjOBJ_JOINT:
      return {"joint", static_cast<int>(m.njnt)};
    case mjOBJ_KEY:
      return {"keyframe", static_cast<int>(m.nkey)};
    default:
      return {"site", static_cast<int>(m.nsite)};
  }
}

constexpr std::array<const char*, 7> kFreePosition = {"x", "y", "z", "qw", "qx", "qy", "qz"};
constexpr std::array<const char*, 6> kFreeVelocity = {"x", "y", "z", "wx", "wy", "wz"};

}  // namespace

int find_object(const Parameters& p, const mjModel& m, mjtObj kind, const std::string& parameter) {
  const auto [word, count] = what_is(m, kind);
  if (p.has(parameter) && !p.is_text(parameter) && count > 0) return p.index(parameter, 0, count);
  const int id = mj_name2id(&m, kind, p.text(parameter, "").c_str());
  if (id >= 0) return id;
  std::string known;
  for (int i = 0; i < count; ++i) {
    const char* name = mj_id2name(&m, kind, i);
    if (name != nullptr && *name != '\0') known += (known.empty() ? "" : ", ") + std::string(name);
  }
  p.fail(parameter, std::string("the name or number of a ") + word + " of the model (" +
                        (known.empty() ? "it has none" : known) + ")");
}

Range joint_entries(const mjModel& m, int joint, bool velocity) {
  const int start = velocity ? m.jnt_dofadr[joint] : m.jnt_qposadr[joint];
  int size = 1;
  if (m.jnt_type[joint] == mjJNT_FREE) size = velocity ? 6 : 7;
  if (m.jnt_type[joint] == mjJNT_BALL) size = velocity ? 3 : 4;
  return {start, start + size};
}

Range find_entries(const Parameters& p, const mjModel& m, bool velocity) {
  if (!p.has("joint")) return p.range(static_cast<int>(velocity ? m.nv : m.nq));
  if (p.has("start") || p.has("end")) p.fail("joint", "either a joint or start and end");
  return joint_entries(m, find_object(p, m, mjOBJ_JOINT, "joint"), velocity);
}

int find_entry(const Parameters& p, const mjModel& m, bool velocity) {
  if (!p.is_text("index")) return p.index("index", 0, static_cast<int>(velocity ? m.nv : m.nq));
  const Range range = joint_entries(m, find_object(p, m, mjOBJ_JOINT, "index"), velocity);
  if (range.size() != 1) p.fail("index", "a number, or the name of a joint with one entry");
  return range.start;
}

int find_entry(const Parameters& p, const mjModel& m, bool velocity, int otherwise) {
  return p.has("index") ? find_entry(p, m, velocity) : otherwise;
}

int find_axis(const Parameters& p, const std::string& otherwise) {
  const std::string axis = p.text("axis", otherwise);
  if (axis != "x" && axis != "y" && axis != "z") p.fail("axis", "x, y or z");
  return axis[0] - 'x';
}

std::string position_name(const mjModel& m, int qpos_index) {
  const auto [joint, offset] = owner_of(m, m.jnt_qposadr, qpos_index);
  std::string name = name_or_number(m, mjOBJ_JOINT, joint, "joint");
  if (m.jnt_type[joint] == mjJNT_FREE) return name + " (" + kFreePosition[offset] + ")";
  if (m.jnt_type[joint] == mjJNT_BALL) return name + " (" + kFreePosition[offset + 3] + ")";
  return name;
}

std::string velocity_name(const mjModel& m, int dof_index) {
  const auto [joint, offset] = owner_of(m, m.jnt_dofadr, dof_index);
  std::string name = name_or_number(m, mjOBJ_JOINT, joint, "joint");
  if (m.jnt_type[joint] == mjJNT_FREE) return name + " (" + kFreeVelocity[offset] + ")";
  if (m.jnt_type[joint] == mjJNT_BALL) return name + " (" + kFreeVelocity[offset + 3] + ")";
  return name;
}

std::string body_name(const mjModel& m, int body) {
  return name_or_number(m, mjOBJ_BODY, body, "body");
}

std::string site_name(const mjModel& m, int site) {
  return name_or_number(m, mjOBJ_SITE, site, "site");
}

std::string position_unit(const mjModel& m, int qpos_index) {
  const auto [joint, offset] = owner_of(m, m.jnt_qposadr, qpos_index);
  if (m.jnt_type[joint] == mjJNT_FREE) return offset < 3 ? "m" : "1 (quaternion)";
  if (m.jnt_type[joint] == mjJNT_BALL) return "1 (quaternion)";
  return m.jnt_type[joint] == mjJNT_SLIDE ? "m" : "rad";
}

std::string velocity_unit(const mjModel& m, int dof_index) {
  const auto [joint, offset] = owner_of(m, m.jnt_dofadr, dof_index);
  if (m.jnt_type[joint] == mjJNT_FREE) return offset < 3 ? "m/s" : "rad/s";
  return m.jnt_type[joint] == mjJNT_SLIDE ? "m/s" : "rad/s";
}

std::string format_number(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end.ptr};
}

std::string format_bounds(const Bounds& bounds) {
  return std::string("(") + format_number(bounds.low) + ", " + format_number(bounds.high) + ")";
}

}  // namespace pgcore
