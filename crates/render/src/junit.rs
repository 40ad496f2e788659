//! JUnit XML: what continuous integration shows as tests.

use crate::escape::visible;

/// A suite of cases.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suite {
    /// What it is called.
    pub name: String,
    /// Its cases.
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// What it belongs to.
    pub group: String,
    /// What it is called.
    pub name: String,
    /// How it went.
    pub result: CaseResult,
}

/// How a case went; with words where it did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseResult {
    /// Well.
    Passed,
    /// What was asked for does not hold.
    Failed(String),
    /// It could not be told.
    Skipped(String),
    /// It could not be tried.
    Error(String),
}

/// `suite` as JUnit XML, which has room for one suite in `testsuites`.
pub fn junit(suite: &Suite) -> String {
    let count = |is: fn(&CaseResult) -> bool| {
        let cases = suite.cases.iter();
        cases.filter(|case| is(&case.result)).count()
    };
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
        suite.cases.len(),
        count(|result| matches!(result, CaseResult::Failed(_))),
        count(|result| matches!(result, CaseResult::Error(_))),
        count(|result| matches!(result, CaseResult::Skipped(_))),
    );
    let name = attribute(&suite.name);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  <testsuite name=\"{name}\" {counts}>\n"
    );
    for case in &suite.cases {
        let (group, name) = (attribute(&case.group), attribute(&case.name));
        out.push_str(&format!(
            "    <testcase classname=\"{group}\" name=\"{name}\""
        ));
        let (element, words) = match &case.result {
            CaseResult::Passed => {
                out.push_str("/>\n");
                continue;
            }
            CaseResult::Failed(words) => ("failure", words),
            CaseResult::Skipped(words) => ("skipped", words),
            CaseResult::Error(words) => ("error", words),
        };
        let words = attribute(words);
        out.push_str(&format!(
            ">\n      <{element} message=\"{words}\"/>\n    </testcase>\n"
        ));
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

/// `text` as the value of an attribute.
fn attribute(text: &str) -> String {
    let text = visible(text);
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_is_xml_and_hostile_names_stay_names() {
        let case = |result| Case {
            group: "<a & \"b\">\u{1b}\n".to_owned(),
            name: "p99".to_owned(),
            result,
        };
        let suite = Suite {
            name: "diff".to_owned(),
            cases: vec![
                case(CaseResult::Passed),
                case(CaseResult::Failed("slower".to_owned())),
                case(CaseResult::Skipped("cannot tell".to_owned())),
                case(CaseResult::Error("no".to_owned())),
            ],
        };
        let xml = junit(&suite);
        let parsed = roxmltree::Document::parse(&xml).expect("it is XML");
        let root = parsed.root_element();
        let counts = ["tests", "failures", "errors", "skipped"].map(|name| root.attribute(name));
        assert_eq!(counts, [Some("4"), Some("1"), Some("1"), Some("1")]);
        let cases = parsed
            .descendants()
            .filter(|node| node.has_tag_name("testcase"));
        let groups: Vec<_> = cases.map(|case| case.attribute("classname")).collect();
        assert_eq!(groups.len(), 4);
        assert!(
            groups
                .iter()
                .all(|group| group.is_some_and(|group| group.starts_with("<a & \"b\">")))
        );
    }
}
