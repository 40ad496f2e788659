//! Labels that nobody wrote into the program: from the environment, and from what the system says of the process.

/// The labels of `PERF_LABELS`: `key=value` pairs with commas between them. Spaces around keys and values do not count,
/// nor does a comma at the end; a value may hold further equals signs, and no comma.
///
/// # Errors
/// In a line, what is wrong.
pub(crate) fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut labels: Vec<(String, String)> = Vec::new();
    let pairs = text.split(',').map(str::trim);
    for pair in pairs.filter(|pair| !pair.is_empty()) {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(format!(
                "{pair:?} has no `=`: key=value,key=value is wanted"
            ));
        };
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() {
            return Err(format!("{pair:?} has nothing before its `=`"));
        }
        if key.starts_with("perf.") {
            return Err(format!(
                "{key:?} is the recorder's own: take a key without `perf.`"
            ));
        }
        if labels.iter().any(|(known, _)| known == key) {
            return Err(format!("{key:?} is there twice"));
        }
        labels.push((key.to_owned(), value.to_owned()));
    }
    Ok(labels)
}

/// The systemd unit, a service or a scope, that a process is in, by its `/proc/self/cgroup`. In a container whose control
/// groups are its own the file does not say.
pub(crate) fn unit(cgroups: &str) -> Option<&str> {
    let paths = cgroups
        .lines()
        .filter_map(|line| line.splitn(3, ':').nth(2));
    paths
        .flat_map(|path| path.rsplit('/'))
        .find(|name| name.ends_with(".service") || name.ends_with(".scope"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_taken_as_they_are_meant() {
        let parsed = parse("version=1.4.2, env = prod,,flags=a=b,empty=,").expect("labels");
        let parsed: Vec<_> = { parsed.iter() }
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        let expected = [
            ("version", "1.4.2"),
            ("env", "prod"),
            ("flags", "a=b"),
            ("empty", ""),
        ];
        assert_eq!(parsed, expected);
        assert_eq!(parse(" , ").map(|labels| labels.len()), Ok(0));
    }

    #[test]
    fn what_is_wrong_is_said_in_a_line() {
        for (text, said) in [
            ("version", "\"version\" has no `=`"),
            ("a=1,=2", "\"=2\" has nothing before"),
            ("a=1,a=2", "\"a\" is there twice"),
            ("perf.sampling=1", "the recorder's own"),
            ("a\nb", "\"a\\nb\" has no `=`"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(said) && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn a_unit_is_the_innermost_service_or_scope() {
        let v2 = "0::/system.slice/trading.service\n";
        let below = "0::/user.slice/user-7.slice/user@7.service/app.slice/app-x.scope/inner\n";
        let v1 = "12:cpu:/x\n1:name=systemd:/system.slice/trading@2.service\n";
        assert_eq!(unit(v2), Some("trading.service"));
        assert_eq!(unit(below), Some("app-x.scope"));
        assert_eq!(unit(v1), Some("trading@2.service"));
        assert_eq!((unit("0::/\n"), unit("")), (None, None));
    }
}
