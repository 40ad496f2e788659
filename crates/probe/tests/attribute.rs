//! `#[measure]` on every form of function, read back from the arena.

#![cfg(not(feature = "off"))]

mod common;

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use common::{Recording, block_on, poll_once, yield_once};
use perf_probe::Outcome;
use perf_probe::attribute::*;
use perf_probe::events;

events! {
    FORM: span = "FORM";
    OTHER: span = "OTHER";
}

#[derive(Debug)]
struct Failure;

impl From<std::num::ParseIntError> for Failure {
    fn from(_: std::num::ParseIntError) -> Self {
        Self
    }
}

type Outcomes = Vec<Outcome>;

/// The outcomes of the spans of `FORM` that `work` records.
fn outcomes_of(work: impl FnOnce()) -> Outcomes {
    let recording = Recording::new();
    perf_probe::scope(recording.handle(), work);
    assert_eq!(recording.open_spans(), []);
    recording
        .spans()
        .iter()
        .filter(|span| span.event == "FORM")
        .map(|span| span.outcome)
        .collect()
}

#[measure(FORM)]
fn plain(x: u32) -> u32 {
    if x == 0 {
        return 7;
    }
    x + 1
}

#[measure(FORM)]
fn parsed(text: &str) -> Result<i32, Failure> {
    if text == "none" {
        return Err(Failure);
    }
    let number: i32 = text.parse()?;
    Ok(number + 1)
}

#[measure(FORM)]
fn aliased(good: bool) -> std::io::Result<()> {
    if good {
        Ok(())
    } else {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

#[measure(FORM)]
fn optional(text: Option<&str>) -> Option<usize> {
    Some(text?.len())
}

#[measure(FORM)]
fn longest<'a, T>(one: &'a [T], other: &'a [T]) -> &'a [T]
where
    T: Clone,
{
    if one.len() >= other.len() { one } else { other }
}

#[measure(FORM)]
fn counting<const N: usize>(mut values: [u32; N]) -> impl Iterator<Item = u32> + Clone {
    values[0] += 1;
    values.into_iter()
}

#[measure(FORM)]
fn shown(item: impl Display, (left, right): (u8, u8)) -> Result<impl Display, Failure> {
    let sum = left.checked_add(right).ok_or(Failure)?;
    Ok(format!("{item}{sum}"))
}

struct Account {
    balance: i64,
    log: Vec<String>,
}

impl Account {
    #[measure(FORM)]
    fn new(balance: i64) -> Self {
        Self {
            balance,
            log: Vec::new(),
        }
    }

    #[measure(FORM)]
    fn last(&mut self) -> Result<&mut String, Failure> {
        self.log.push("new".to_owned());
        self.log.last_mut().ok_or(Failure)
    }

    #[measure(FORM)]
    fn close(self) -> Result<i64, Self> {
        if self.balance < 0 {
            Err(self)
        } else {
            Ok(self.balance)
        }
    }

    #[measure(FORM)]
    async fn pay(&mut self, amount: i64) -> Result<&i64, Failure> {
        yield_once().await;
        if amount > self.balance {
            return Err(Failure);
        }
        self.balance -= amount;
        Ok(&self.balance)
    }
}

trait Quote {
    fn quote(&self) -> u32;

    #[measure(FORM)]
    fn twice(&self) -> u32 {
        self.quote() * 2
    }

    fn fetch<'a>(&'a self) -> Pin<Box<dyn Future<Output = Result<u32, Failure>> + 'a>>;
}

impl Quote for u32 {
    #[measure(FORM)]
    fn quote(&self) -> u32 {
        *self
    }

    #[measure(FORM)]
    fn fetch<'a>(&'a self) -> Pin<Box<dyn Future<Output = Result<u32, Failure>> + 'a>> {
        Box::pin(async move {
            yield_once().await;
            if *self == 0 { Err(Failure) } else { Ok(*self) }
        })
    }
}

#[measure(FORM)]
async fn awaited(text: &str) -> Result<i32, Failure> {
    yield_once().await;
    let number: i32 = text.parse()?;
    Ok(number)
}

#[measure(FORM)]
async fn generic<T>(item: &T, count: usize) -> Vec<T>
where
    T: Clone + Default + 'static,
{
    yield_once().await;
    vec![item.clone(); count]
}

#[measure(FORM)]
async fn silent() {}

#[measure(FORM)]
async fn opaque() -> impl Iterator<Item = u8> {
    yield_once().await;
    [1_u8, 2].into_iter()
}

#[measure(FORM)]
fn promised(good: bool) -> impl Future<Output = Result<(), Failure>> {
    async move {
        yield_once().await;
        if good { Ok(()) } else { Err(Failure) }
    }
}

#[measure(self::FORM)]
async fn not_send() -> usize {
    let shared = Rc::new(1);
    yield_once().await;
    Rc::strong_count(&shared)
}

#[test]
fn functions_without_a_result_end_ok() {
    let outcomes = outcomes_of(|| {
        assert_eq!((plain(0), plain(1)), (7, 2));
        assert_eq!((optional(None), optional(Some("ab"))), (None, Some(2)));
        assert_eq!(longest(&[1], &[1, 2]), [1, 2]);
        assert_eq!(counting([1, 2]).sum::<u32>(), 4);
        assert_eq!(21.twice(), 42);
    });
    assert_eq!(outcomes, [Outcome::Ok; 8]);
}

#[test]
fn an_err_is_an_error_however_it_is_returned() {
    let outcomes = outcomes_of(|| {
        assert!(parsed("1").is_ok() && parsed("none").is_err() && parsed("x").is_err());
        assert!(aliased(true).is_ok() && aliased(false).is_err());
        assert!(shown("a", (1, 2)).is_ok_and(|text| text.to_string() == "a3"));
        assert!(shown("a", (255, 1)).is_err());
    });
    use Outcome::{Error, Ok};
    assert_eq!(outcomes, [Ok, Error, Error, Ok, Error, Ok, Error]);
}

#[test]
fn methods_keep_their_borrows() {
    let outcomes = outcomes_of(|| {
        let mut account = Account::new(5);
        account.last().expect("it has one").push('!');
        assert_eq!(account.log, ["new!"]);
        assert!(block_on(account.pay(9)).is_err());
        assert_eq!(block_on(account.pay(2)).expect("it is covered"), &3);
        assert!(Account::new(-1).close().is_err());
        assert!(account.close().is_ok_and(|balance| balance == 3));
    });
    use Outcome::{Error, Ok};
    assert_eq!(outcomes, [Ok, Ok, Error, Ok, Ok, Error, Ok]);
}

#[test]
fn futures_are_measured_from_first_poll_to_completion() {
    let outcomes = outcomes_of(|| {
        assert!(block_on(awaited("3")).is_ok_and(|number| number == 3));
        assert!(block_on(awaited("x")).is_err());
        assert_eq!(block_on(generic(&1_u8, 2)), [1, 1]);
        block_on(silent());
        assert_eq!(block_on(opaque()).sum::<u8>(), 3);
        assert!(block_on(promised(false)).is_err());
        assert!(block_on(promised(true)).is_ok());
        assert!(block_on(0.fetch()).is_err());
        assert!(block_on(4.fetch()).is_ok());
        assert_eq!(block_on(not_send()), 1);
    });
    use Outcome::{Error, Ok};
    assert_eq!(outcomes, [Ok, Error, Ok, Ok, Ok, Error, Ok, Error, Ok, Ok]);
}

#[test]
fn a_dropped_future_is_cancelled_and_an_unpolled_one_nothing() {
    let outcomes = outcomes_of(|| {
        drop(awaited("1"));
        let mut started = Box::pin(awaited("1"));
        assert!(poll_once(started.as_mut()).is_pending());
        drop(started);
    });
    assert_eq!(outcomes, [Outcome::Cancelled]);
}

#[measure(FORM)]
fn breaks(result: bool) -> Result<(), Failure> {
    let _inner = perf_probe::measure!(OTHER);
    assert!(result, "it breaks");
    Ok(())
}

#[measure(FORM)]
async fn breaks_later() {
    yield_once().await;
    panic!("it breaks");
}

#[test]
fn a_panic_is_the_outcome_and_goes_on() {
    let outcomes = outcomes_of(|| {
        assert!(std::panic::catch_unwind(|| breaks(false)).is_err());
        assert!(std::panic::catch_unwind(|| block_on(breaks_later())).is_err());
    });
    assert_eq!(outcomes, [Outcome::Panicked; 2]);
}

fn sendable<T: Send>(_: &T) {}

#[test]
fn measured_futures_are_send_if_their_content_is() {
    sendable(&awaited("1"));
    sendable(&promised(true));
}
