//! Names of files after what is drawn in them.

use std::collections::BTreeSet;

/// The names of files that were given so far, whatever their case: some file systems do not tell it.
#[derive(Default)]
pub(super) struct Files(BTreeSet<String>);

impl Files {
    /// `stem-of.svg`, with a number behind it if that is taken.
    pub(super) fn name(&mut self, stem: &str, of: &str) -> String {
        let of = in_file_name(of);
        let stem = if of.is_empty() {
            stem.to_owned()
        } else {
            format!("{stem}-{of}")
        };
        let numbered = (2..).map(|number| format!("{stem}-{number}"));
        let free = std::iter::once(stem.clone())
            .chain(numbered)
            .find(|name| self.0.insert(name.to_lowercase()));
        format!("{}.svg", free.unwrap_or(stem))
    }
}

/// `name` with each run of anything but letters, digits, `_`, `.` and `-` of ASCII as one `_`, and not too long.
fn in_file_name(name: &str) -> String {
    const LONGEST: usize = 80;
    let is_safe = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut safe = String::new();
    let mut was_safe = true;
    for c in name.chars().take(LONGEST) {
        match (is_safe(&c), was_safe) {
            (true, _) => safe.push(c),
            (false, true) => safe.push('_'),
            (false, false) => {}
        }
        was_safe = is_safe(&c);
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_safe_and_never_the_same() {
        let mut files = Files::default();
        let name = |files: &mut Files, of: &str| files.name("cdf", of);
        assert_eq!(name(&mut files, ""), "cdf.svg");
        assert_eq!(
            name(&mut files, "ORDER.SUBMIT error"),
            "cdf-ORDER.SUBMIT_error.svg"
        );
        assert_eq!(
            name(&mut files, "order.submit\terror"),
            "cdf-order.submit_error-2.svg"
        );
        assert_eq!(
            name(&mut files, "../../etc/passwd"),
            "cdf-.._.._etc_passwd.svg"
        );
        assert_eq!(name(&mut files, "é\0/"), "cdf-_.svg");
        assert!(name(&mut files, &"x".repeat(10_000)).len() < 100);
    }
}
