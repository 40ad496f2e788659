//! How figures stand in a sentence.

use crate::value::UnixNs;

const NS_PER_MS: i64 = 1_000_000;
const MS_PER_DAY: i64 = 86_400_000;

/// `1 span`, `2 spans`.
pub(crate) fn counted(count: u64, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

/// A length of time with a unit that fits, such as `3.000 s`.
pub(crate) fn length(ns: u64) -> String {
    match ns {
        1_000_000_000.. => format!("{:.3} s", ns as f64 / 1e9),
        1_000_000.. => format!("{:.3} ms", ns as f64 / 1e6),
        _ => format!("{:.3} µs", ns as f64 / 1e3),
    }
}

/// `2026-05-01 12:30:00.250 UTC`. Results know no other time zone.
///
/// The date is found as in Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>): years begin in March, so that a leap day comes last.
pub(crate) fn instant(at: UnixNs) -> String {
    let ms = at.0.div_euclid(NS_PER_MS);
    let (days, ms) = (ms.div_euclid(MS_PER_DAY), ms.rem_euclid(MS_PER_DAY));
    // Days since 0000-03-01, by eras of 400 years.
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month < 3);
    let (second, ms) = (ms / 1000, ms % 1000);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{ms:03} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_agree_with_their_nouns() {
        assert_eq!(
            [0, 1, 2].map(|count| counted(count, "row")),
            ["0 rows", "1 row", "2 rows"]
        );
    }

    #[test]
    fn lengths_have_a_unit_that_fits() {
        let lengths = [999, 1_500_000, 3_000_000_000].map(length);
        assert_eq!(lengths, ["0.999 µs", "1.500 ms", "3.000 s"]);
    }

    #[test]
    fn instants_are_dates() {
        let shown = [
            0,
            -1,
            951_782_400_000_000_000,
            951_868_800_000_000_000,
            1_777_636_800_250_000_000,
            i64::MAX,
            i64::MIN,
        ];
        assert_eq!(
            shown.map(|ns| instant(UnixNs(ns))),
            [
                "1970-01-01 00:00:00.000 UTC",
                "1969-12-31 23:59:59.999 UTC",
                "2000-02-29 00:00:00.000 UTC",
                "2000-03-01 00:00:00.000 UTC",
                "2026-05-01 12:00:00.250 UTC",
                "2262-04-11 23:47:16.854 UTC",
                "1677-09-21 00:12:43.145 UTC",
            ]
        );
    }
}
