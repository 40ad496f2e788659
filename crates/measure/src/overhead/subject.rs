//! The programs that are measured, and the ways to run them.

use std::path::Path;

/// A program under a load.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    /// What one unit of its work is.
    pub(crate) unit: &'static str,
    /// The example of the release build.
    pub(crate) program: &'static str,
    pub(crate) load: Load,
    /// The ways to run it: the last one is captured, the others are what it is compared with.
    pub(crate) arms: Vec<Arm>,
}

/// One way to run a program.
pub(crate) struct Arm {
    pub(crate) name: &'static str,
    arguments: Vec<String>,
    is_captured: bool,
}

/// What a block is.
pub(crate) enum Load {
    /// So many candles on command, sent when they are due.
    Candles(u64),
    /// Clients that each send a request when they have the answer to the one before, for half a second.
    Requests,
}

impl Arm {
    fn new(name: &'static str, arguments: &[&str], is_captured: bool) -> Self {
        Self {
            name,
            arguments: arguments.iter().map(ToString::to_string).collect(),
            is_captured,
        }
    }

    /// The program's arguments; a captured one gets a directory below `captures`.
    pub(crate) fn arguments(&self, captures: &Path) -> Vec<String> {
        let mut arguments = self.arguments.clone();
        if self.is_captured {
            arguments.push(format!("{}/", captures.display()));
        }
        arguments
    }
}

fn trading(name: &'static str, rate: &'static str, candles: u64) -> Subject {
    let common = ["--blocks", "--rate", rate];
    let without: Vec<_> = common.into_iter().chain(["--no-capture"]).collect();
    let with: Vec<_> = common.into_iter().chain(["--out"]).collect();
    Subject {
        name,
        unit: "candle",
        program: "trading",
        load: Load::Candles(candles),
        arms: vec![
            Arm::new("without", &without, false),
            Arm::new("captured", &with, true),
        ],
    }
}

pub(crate) fn all() -> [Subject; 3] {
    [
        trading("trading, 1 000 candles/s", "1000", 500),
        trading("trading, 10 000 candles/s", "10000", 5_000),
        Subject {
            name: "axum service, tracing and metrics",
            unit: "request",
            program: "service",
            load: Load::Requests,
            arms: vec![
                Arm::new("no subscriber", &["nobody"], false),
                Arm::new("registry alone", &["registry"], false),
                Arm::new("captured", &["captured"], true),
            ],
        },
    ]
}
