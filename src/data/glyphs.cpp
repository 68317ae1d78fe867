#include "glyphs.hpp"

#include <array>

namespace vitcl::data {
namespace {

using P = GlyphPoint;

// 0: an oval closed at the top; a narrow one begun at the right; one whose ends cross.
constexpr P zero_oval[] = {{50, 5}, {24, 18}, {16, 50}, {26, 84}, {50, 95}, {75, 83}, {84, 50}, {76, 18}, {50, 5}};
constexpr P zero_narrow[] = {{62, 12}, {42, 8}, {28, 34}, {28, 66}, {44, 93}, {64, 80}, {71, 48}, {62, 16}, {48, 7}};
constexpr P zero_crossed[] = {{66, 4}, {36, 14}, {17, 48}, {28, 86}, {56, 94}, {82, 66}, {78, 28}, {52, 10}, {38, 18}};
constexpr Stroke zero_a[] = {{zero_oval}}, zero_b[] = {{zero_narrow}}, zero_c[] = {{zero_crossed}};
constexpr Glyph zeros[] = {zero_a, zero_b, zero_c};

// 1: a bar; a bar with an upstroke; the same on a foot.
constexpr P one_bar[] = {{52, 4}, {50, 50}, {48, 96}};
constexpr P one_flag[] = {{30, 26}, {54, 5}, {52, 96}};
constexpr P one_foot[] = {{28, 95}, {76, 95}};
constexpr Stroke one_a[] = {{one_bar}}, one_b[] = {{one_flag, false}}, one_c[] = {{one_flag, false}, {one_foot, false}};
constexpr Glyph ones[] = {one_a, one_a, one_b, one_c};

// 2: a hook with a straight foot; with a loop at the foot; angular.
constexpr P two_hook[] = {{20, 26}, {34, 8}, {58, 5}, {76, 22}, {68, 46}, {42, 74}, {18, 94}};
constexpr P two_foot[] = {{18, 94}, {50, 92}, {84, 93}};
constexpr P two_loop[] = {{18, 24}, {42, 5},  {70, 14}, {72, 40}, {46, 74},
                          {22, 90}, {16, 80}, {32, 76}, {58, 92}, {86, 86}};
constexpr P two_angle[] = {{20, 12}, {58, 7}, {76, 24}, {60, 56}, {20, 92}, {82, 92}};
constexpr Stroke two_a[] = {{two_hook}, {two_foot}}, two_b[] = {{two_loop}}, two_c[] = {{two_angle, false}};
constexpr Glyph twos[] = {two_a, two_b, two_c};

// 3: two round bows; with a flat top; with a small upper bow.
constexpr P three_round[] = {{22, 16}, {46, 5}, {72, 18}, {66, 40}, {44, 48}, {70, 56}, {80, 76}, {54, 96}, {20, 86}};
constexpr P three_top[] = {{20, 8}, {74, 8}, {44, 42}};
constexpr P three_bow[] = {{44, 42}, {72, 50}, {78, 74}, {54, 95}, {18, 86}};
constexpr P three_small[] = {{30, 18}, {50, 6},  {66, 20}, {58, 38}, {42, 42},
                             {70, 50}, {76, 72}, {56, 92}, {30, 94}, {16, 82}};
constexpr Stroke three_a[] = {{three_round}}, three_b[] = {{three_top, false}, {three_bow}},
                 three_c[] = {{three_small}};
constexpr Glyph threes[] = {three_a, three_b, three_c};

// 4: open; closed; open with a curved left side.
constexpr P four_left[] = {{28, 6}, {18, 56}, {84, 54}};
constexpr P four_right[] = {{66, 8}, {62, 96}};
constexpr P four_closed[] = {{62, 96}, {64, 5}, {14, 66}, {88, 64}};
constexpr P four_curve[] = {{24, 8}, {18, 38}, {28, 54}, {56, 54}, {70, 40}};
constexpr P four_tail[] = {{74, 6}, {70, 44}, {62, 97}};
constexpr Stroke four_a[] = {{four_left, false}, {four_right, false}};
constexpr Stroke four_b[] = {{four_closed, false}}, four_c[] = {{four_curve}, {four_tail}};
constexpr Glyph fours[] = {four_a, four_b, four_c};

// 5: a bow with a hat; in one line; with a slanted back.
constexpr P five_hat[] = {{32, 8}, {80, 8}};
constexpr P five_back[] = {{34, 8}, {27, 44}};
constexpr P five_bow[] = {{27, 44}, {54, 37}, {77, 56}, {70, 86}, {42, 96}, {17, 85}};
constexpr P five_line[] = {{80, 10}, {40, 8}, {30, 42}, {58, 42}, {76, 62}, {64, 90}, {36, 95}, {18, 86}};
constexpr P five_slant[] = {{44, 10}, {24, 48}};
constexpr P five_belly[] = {{24, 48}, {50, 46}, {68, 62}, {60, 86}, {38, 95}, {18, 92}};
constexpr P five_long_hat[] = {{44, 10}, {88, 5}};
constexpr Stroke five_a[] = {{five_back, false}, {five_bow}, {five_hat, false}}, five_b[] = {{five_line}};
constexpr Stroke five_c[] = {{five_slant, false}, {five_belly}, {five_long_hat, false}};
constexpr Glyph fives[] = {five_a, five_b, five_c};

// 6: a curve into a bowl; steep with a small bowl; wide.
constexpr P six_curve[] = {{68, 6}, {38, 26}, {22, 62}, {34, 92}, {62, 93}, {76, 72}, {58, 54}, {32, 62}, {24, 76}};
constexpr P six_steep[] = {{46, 4}, {30, 40}, {27, 76}, {44, 96}, {64, 86}, {62, 66}, {44, 64}, {29, 80}};
constexpr P six_wide[] = {{80, 12}, {48, 10}, {20, 46}, {24, 84}, {54, 96}, {80, 80}, {74, 56}, {46, 50}, {22, 68}};
constexpr Stroke six_a[] = {{six_curve}}, six_b[] = {{six_steep}}, six_c[] = {{six_wide}};
constexpr Glyph sixes[] = {six_a, six_b, six_c};

// 7: plain; with a bar; with a curved stem and a serif.
constexpr P seven_plain[] = {{18, 10}, {82, 8}, {42, 96}};
constexpr P seven_bar[] = {{34, 50}, {76, 48}};
constexpr P seven_serif[] = {{20, 24}, {21, 9}, {78, 10}};
constexpr P seven_stem[] = {{78, 10}, {62, 40}, {52, 70}, {50, 96}};
constexpr Stroke seven_a[] = {{seven_plain, false}}, seven_b[] = {{seven_plain, false}, {seven_bar, false}};
constexpr Stroke seven_c[] = {{seven_serif, false}, {seven_stem}};
constexpr Glyph sevens[] = {seven_a, seven_b, seven_c};

// 8: one crossing line; two rings; begun at the upper right and left open there.
constexpr P eight_line[] = {{70, 16}, {46, 5},  {28, 22}, {46, 44}, {72, 66}, {68, 90},
                            {42, 96}, {24, 80}, {34, 58}, {62, 42}, {74, 22}, {66, 12}};
constexpr P eight_top[] = {{50, 5}, {30, 16}, {32, 38}, {50, 46}, {69, 36}, {68, 14}, {50, 5}};
constexpr P eight_bottom[] = {{50, 46}, {25, 60}, {27, 86}, {50, 96}, {74, 85}, {75, 60}, {50, 46}};
constexpr P eight_open[] = {{78, 8},  {48, 8},  {30, 24}, {50, 46}, {68, 70},
                            {54, 95}, {30, 88}, {34, 64}, {60, 38}, {80, 14}};
constexpr Stroke eight_a[] = {{eight_line}}, eight_b[] = {{eight_top}, {eight_bottom}}, eight_c[] = {{eight_open}};
constexpr Glyph eights[] = {eight_a, eight_b, eight_c};

// 9: a ring with a straight stem; with a curved tail; in one line.
constexpr P nine_ring[] = {{72, 22}, {50, 6}, {26, 20}, {26, 44}, {46, 54}, {68, 40}, {74, 18}};
constexpr P nine_stem[] = {{74, 18}, {68, 96}};
constexpr P nine_tail[] = {{74, 18}, {76, 54}, {62, 88}, {28, 92}};
constexpr P nine_line[] = {{70, 28}, {58, 8}, {34, 12}, {26, 34}, {42, 48}, {66, 34}, {72, 20}, {66, 60}, {50, 96}};
constexpr Stroke nine_a[] = {{nine_ring}, {nine_stem, false}}, nine_b[] = {{nine_ring}, {nine_tail}};
constexpr Stroke nine_c[] = {{nine_line}};
constexpr Glyph nines[] = {nine_a, nine_b, nine_c};

constexpr std::array<std::span<const Glyph>, 10> glyphs{zeros, ones,  twos,   threes, fours,
                                                        fives, sixes, sevens, eights, nines};

}  // namespace

std::span<const Glyph> glyphs_of(uint32_t digit) { return glyphs.at(digit); }

}  // namespace vitcl::data
