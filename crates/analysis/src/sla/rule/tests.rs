use super::*;
use proptest::prelude::*;

fn parsed(text: &str) -> Rule {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn rules_print_as_they_are_usually_written() {
    for text in [
        "ORDER_EXECUTION:p99.9<5ms",
        "e2e:p99<250us over 1m",
        "GC_PAUSE:max<10ms",
        "ORDER_SUBMIT:error_rate<0.1%",
        "ORDER_SUBMIT/error:rate<=2.5/s over 90s",
        "A→B:mean<=1.5us",
        "e2e[A → B → C]:max<1s over 1h",
        "response[candle]:p50>=10ns",
        "db::read:p99<5ms",
        "a/b:max<5ms",
        "BATCH_SIZE:max<8",
        "\"e2e\":max<1ms",
        "\"a->b\"→\" c\":max<1ms",
        "\"response[\"→]:max<1ms",
    ] {
        assert_eq!(parsed(text).to_string(), text);
    }
    for (text, shown) in [
        (
            " A -> B : max <= 0.0015 ms over 60s ",
            "A→B:max<=1.5us over 1m",
        ),
        ("A:p99.90 ≤ 5µs", "A:p99.9<=5us"),
        ("A : max ≥ 5000 us over 1 min", "A:max>=5ms over 1m"),
        ("response[ x ]:max<1s", "response[x]:max<1s"),
        ("e2e[a]b]:max<1s", "e2e[a]b]:max<1s"),
    ] {
        assert_eq!(parsed(text).to_string(), shown);
    }
}

#[test]
fn errors_point_at_the_column() {
    for (text, column, message) in [
        (
            "",
            1,
            "expected TARGET:STAT OP VALUE, such as ORDER:p99<5ms; there is no colon",
        ),
        (
            "ORDER",
            6,
            "expected TARGET:STAT OP VALUE, such as ORDER:p99<5ms; there is no colon",
        ),
        (":max<5ms", 1, "expected a name, got nothing"),
        (
            "ORDER:",
            7,
            "expected max, p50 … p99.99, mean, rate or error_rate, got nothing",
        ),
        (
            "ORDER:p101<5ms",
            7,
            "expected a percentile from p0 to p100, got `p101`",
        ),
        (
            "ORDER:maxx<5ms",
            7,
            "expected max, p50 … p99.99, mean, rate or error_rate, got `maxx`",
        ),
        ("ORDER:max=5ms", 10, "expected <, <=, > or >=, got `=`"),
        (
            "ORDER:max<",
            11,
            "expected a value such as 5ms, got nothing",
        ),
        (
            "ORDER:max<fast",
            11,
            "expected a value such as 5ms, got `fast`",
        ),
        (
            "ORDER:max<5m",
            12,
            "expected a unit: ns, us, ms or s, % or /s, got `m`",
        ),
        (
            "ORDER:max<0.5ns",
            11,
            "`0.5ns` is no whole number of nanoseconds below 584 years",
        ),
        (
            "ORDER:max<5%",
            11,
            "max is compared with a duration such as 5ms, not with `5%`",
        ),
        (
            "ORDER:rate<5ms",
            12,
            "rate is compared with a rate such as 100/s, not with `5ms`",
        ),
        (
            "ORDER:error_rate<0.1",
            18,
            "error_rate is compared with a share such as 0.1%, not with `0.1`",
        ),
        (
            "注文:max<5ms evry 1m",
            12,
            "expected `over` and a window, or the end, got `evry 1m`",
        ),
        (
            "ORDER:max<5ms over 0s",
            20,
            "expected a window such as 1m, got `0s`",
        ),
        (
            "ORDER:max<5ms over 5",
            20,
            "expected a window such as 1m, got `5`",
        ),
        ("ORDER:max<5ms over 1m x", 23, "expected the end, got `x`"),
        ("A->:max<5ms", 4, "expected a name, got nothing"),
        (
            "A→B→C:max<5ms",
            4,
            "expected a colon, got `→C`; a name with an arrow stands in quotes",
        ),
        ("\"A:max<5ms", 1, "expected a closing quote"),
        (
            "\"A\"x:max<5ms",
            4,
            "expected a colon, /OUTCOME or an arrow, got `x`",
        ),
        ("A→B:error_rate<1%", 5, "a gap has no error_rate"),
    ] {
        let error = text.parse::<Rule>().expect_err(text);
        assert_eq!(
            (error.column, error.message.as_str()),
            (column, message),
            "{text}"
        );
    }
}

fn name() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[A-Za-z_]{1,8}",
        Just("→".to_owned()),
        Just("->".to_owned()),
        Just("/ok".to_owned()),
        Just("e2e".to_owned()),
        Just("response[".to_owned()),
        Just("]".to_owned()),
        Just(":".to_owned()),
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just(" ".to_owned()),
        "\\PC{0,3}",
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat())
}

fn target() -> impl Strategy<Value = Target> {
    let outcome = prop_oneof![
        Just(None),
        Just(Some(Outcome::Ok)),
        Just(Some(Outcome::Error)),
        Just(Some(Outcome::Cancelled)),
        Just(Some(Outcome::Panicked)),
    ];
    prop_oneof![
        (name(), outcome).prop_map(|(name, outcome)| Target::Event { name, outcome }),
        (name(), name()).prop_map(|(from, to)| Target::Gap { from, to }),
        proptest::option::of(name()).prop_map(Target::EndToEnd),
        proptest::option::of(name()).prop_map(Target::Response),
    ]
}

fn figures() -> impl Strategy<Value = (Stat, Bound)> {
    let percentile = |(whole, rest): (u32, u32)| {
        let text = format!("{whole}.{rest:06}");
        Stat::Percentile(text.parse().expect("a percentile"))
    };
    let of_values = prop_oneof![
        Just(Stat::Max),
        Just(Stat::Mean),
        (0u32..100, 0u32..1_000_000).prop_map(percentile),
        Just(Stat::Percentile("100".parse().expect("a percentile"))),
    ];
    let decimal = || any::<u64>().prop_map(Decimal::of_millionths);
    let values = prop_oneof![
        any::<u64>().prop_map(Bound::Ns),
        (0u64..5_000_000).prop_map(Bound::Ns),
        decimal().prop_map(Bound::Number)
    ];
    prop_oneof![
        (of_values, values),
        decimal().prop_map(|rate| (Stat::Rate, Bound::PerSecond(rate))),
        decimal().prop_map(|share| (Stat::ErrorRate, Bound::Percent(share))),
    ]
}

proptest! {
    #[test]
    fn what_is_printed_parses_back(
        target in target(),
        (stat, bound) in figures(),
        op in prop_oneof![Just(Op::Less), Just(Op::AtMost), Just(Op::More), Just(Op::AtLeast)],
        over_ns in proptest::option::of(prop_oneof![1u64..=i64::MAX as u64, Just(60_000_000_000)]),
    ) {
        // Not every figure is one of every target.
        let (stat, bound) = match (&target, stat, bound) {
            (Target::Event { .. }, ..) => (stat, bound),
            (Target::Gap { .. }, Stat::ErrorRate, _) => (Stat::Max, Bound::Ns(1)),
            (_, _, Bound::Number(_)) => (stat, Bound::Ns(1)),
            _ => (stat, bound),
        };
        let rule = Rule { target, stat, op, bound, over_ns };
        let shown = rule.to_string();
        prop_assert_eq!(shown.parse::<Rule>(), Ok(rule), "{}", shown);
    }

    #[test]
    fn any_text_is_a_rule_or_an_error_with_a_column_in_it(text in "\\PC{0,40}") {
        if let Err(error) = text.parse::<Rule>() {
            prop_assert!((1..=text.chars().count() + 1).contains(&error.column), "{error}");
        }
    }
}
