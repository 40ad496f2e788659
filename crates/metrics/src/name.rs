//! What a series is called as an event: the metric's name, and its labels behind it.

use metrics::Key;

/// `name{key="value",other="value"}`, labels in the order of their keys, so that the order in which a call site has them makes
/// no other series.
pub(crate) fn of(key: &Key) -> String {
    let mut labels: Vec<(&str, &str)> = key
        .labels()
        .map(|label| (label.key(), label.value()))
        .collect();
    if labels.is_empty() {
        return key.name().to_owned();
    }
    labels.sort_unstable();
    let labels: Vec<String> = labels
        .into_iter()
        .map(|(key, value)| format!("{key}={value:?}"))
        .collect();
    format!("{}{{{}}}", key.name(), labels.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics::Label;

    #[test]
    fn labels_have_one_order_and_are_quoted() {
        let one = Key::from_parts("hits", vec![Label::new("b", "2"), Label::new("a", "x\"y")]);
        let other = Key::from_parts("hits", vec![Label::new("a", "x\"y"), Label::new("b", "2")]);
        assert_eq!(of(&one), r#"hits{a="x\"y",b="2"}"#);
        assert_eq!(of(&one), of(&other));
        assert_eq!(of(&Key::from_name("hits")), "hits");
    }
}
