//! Colours: what each is for, and how it looks on light and on dark ground.
//!
//! Series use the palette of Okabe and Ito (Color Universal Design, 2008), which people with any of the common
//! colour deficiencies tell apart, darkened or lightened where a line of it would be too faint on its ground.
//! No plot tells anything by colour alone: lines are labelled where they end.

use std::fmt::Write;

/// On which ground a plot is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// Light ground.
    Light,
    /// Dark ground.
    Dark,
    /// Light, or dark where the reader's system prefers that.
    #[default]
    Auto,
}

/// How many different colours series have; further ones start anew.
pub const SERIES: usize = 8;
/// Steps of the heat map, from few to many.
pub(crate) const HEAT_STEPS: usize = 9;

/// What a colour is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    Ground,
    Text,
    Muted,
    /// The frame of the plot and its ticks.
    Axis,
    Grid,
    /// The number of a series, in the order of importance.
    Series(usize),
    /// 0 is few, [`HEAT_STEPS`] − 1 most.
    Heat(usize),
    /// Lines over the heat map, from the middle of the values to the tail.
    Over(usize),
    /// What is wrong: loss, violations.
    Alarm,
    /// Time in which nothing of a trace ran.
    Gap,
}

/// Light and dark, as 0xRRGGBB. No two of the light ones are equal: [`style_sheet`] tells them apart by value.
type Shade = (u32, u32);

const SERIES_SHADES: [Shade; SERIES] = [
    (0x00_72B2, 0x5A_B4F0),
    (0xD5_5E00, 0xFF_8B45),
    (0x00_9E73, 0x2C_C99B),
    (0xB2_5A90, 0xE5_9CC6),
    (0xBF_7F00, 0xF2_B632),
    (0x2F_93CE, 0x9A_D4F7),
    (0x86_7A00, 0xF0_E442),
    (0x5C_6066, 0xC3_C7CD),
];

const HEAT_SHADES: [Shade; HEAT_STEPS] = [
    (0xE6_EFF8, 0x17_2A3D),
    (0xD0_E2F2, 0x1B_3854),
    (0xB4_D2EA, 0x1F_486C),
    (0x93_BFE0, 0x25_5B87),
    (0x6F_A9D4, 0x2F_70A3),
    (0x4E_91C6, 0x41_88BF),
    (0x33_77B2, 0x5F_A3D6),
    (0x1E_5C97, 0x8D_C1E8),
    (0x0C_3F73, 0xC6_E2F6),
];

const OVER_SHADES: [Shade; 3] = [
    (0xE6_9F00, 0xFF_C247),
    (0xD9_4801, 0xFF_8A3C),
    (0x8C_1D5B, 0xFF_9AD5),
];

impl Ink {
    fn shade(self) -> Shade {
        match self {
            Ink::Ground => (0xFF_FFFF, 0x14_171C),
            Ink::Text => (0x1A_1D21, 0xEC_EEF1),
            Ink::Muted => (0x5B_626B, 0xA3_ABB5),
            Ink::Axis => (0x9A_A1A9, 0x5E_6670),
            Ink::Grid => (0xE7_E9EC, 0x2A_2F37),
            Ink::Series(number) => SERIES_SHADES[number % SERIES],
            Ink::Heat(step) => HEAT_SHADES[step.min(HEAT_STEPS - 1)],
            Ink::Over(number) => OVER_SHADES[number % OVER_SHADES.len()],
            Ink::Alarm => (0xC4_1E3A, 0xFF_6B7F),
            Ink::Gap => (0xAD_B4BC, 0x66_6F7A),
        }
    }

    /// Red, green and blue.
    pub(crate) fn rgb(self, theme: Theme) -> (u8, u8, u8) {
        let (light, dark) = self.shade();
        let [_, red, green, blue] = match theme {
            Theme::Light | Theme::Auto => light,
            Theme::Dark => dark,
        }
        .to_be_bytes();
        (red, green, blue)
    }

    fn all() -> impl Iterator<Item = Ink> {
        let plain = [
            Ink::Ground,
            Ink::Text,
            Ink::Muted,
            Ink::Axis,
            Ink::Grid,
            Ink::Alarm,
            Ink::Gap,
        ];
        plain
            .into_iter()
            .chain((0..SERIES).map(Ink::Series))
            .chain((0..HEAT_STEPS).map(Ink::Heat))
            .chain((0..OVER_SHADES.len()).map(Ink::Over))
    }
}

/// The rules of a plot. With [`Theme::Auto`] they replace each light colour by its dark one where the system is dark,
/// by value, since shapes carry their colours as attributes.
pub(crate) fn style_sheet(theme: Theme) -> String {
    let mut rules = String::from(
        ".perf-plot{max-width:100%;height:auto}\
         .perf-plot polyline{stroke-linejoin:round;stroke-linecap:round}\
         .perf-plot .at{fill-opacity:0}.perf-plot .at:hover{fill-opacity:.15}",
    );
    if theme == Theme::Auto {
        rules.push_str("@media (prefers-color-scheme:dark){");
        for ink in Ink::all() {
            let (light, dark) = ink.shade();
            for property in ["fill", "stroke"] {
                // Writing into a string cannot fail.
                let _ = write!(
                    rules,
                    ".perf-auto [{property}=\"#{light:06X}\"]{{{property}:#{dark:06X}}}"
                );
            }
        }
        rules.push('}');
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contrast of two colours by WCAG 2.1, from 1 to 21.
    fn contrast(a: u32, b: u32) -> f64 {
        let luminance = |colour: u32| {
            let linear = |byte: u8| match f64::from(byte) / 255.0 {
                c if c <= 0.040_45 => c / 12.92,
                c => ((c + 0.055) / 1.055).powf(2.4),
            };
            let [_, red, green, blue] = colour.to_be_bytes();
            0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_can_be_read_and_lines_can_be_seen() {
        let (light, dark) = Ink::Ground.shade();
        let checked = Ink::all().filter_map(|ink| match ink {
            Ink::Text | Ink::Muted => Some((ink, 4.5)),
            Ink::Series(_) | Ink::Alarm => Some((ink, 3.0)),
            _ => None,
        });
        for (ink, least) in checked {
            let shade = ink.shade();
            assert!(contrast(shade.0, light) >= least, "{ink:?} on light");
            assert!(contrast(shade.1, dark) >= least, "{ink:?} on dark");
        }
    }

    #[test]
    fn each_light_colour_means_one_thing() {
        let mut seen: Vec<u32> = Ink::all().map(|ink| ink.shade().0).collect();
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all);
    }

    #[test]
    fn more_in_the_heat_map_stands_out_more() {
        for (ground, shade) in [
            (
                Ink::Ground.shade().0,
                (|ink: Ink| ink.shade().0) as fn(Ink) -> u32,
            ),
            (Ink::Ground.shade().1, |ink: Ink| ink.shade().1),
        ] {
            let contrasts: Vec<f64> = (0..HEAT_STEPS)
                .map(|step| contrast(shade(Ink::Heat(step)), ground))
                .collect();
            assert!(
                contrasts.is_sorted_by(|less, more| less < more),
                "{contrasts:?}"
            );
        }
    }
}
