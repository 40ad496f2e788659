//! A small exchange on a loopback socket: one thread a connection, one line a message.
//!
//! `NEW id qty price mark` is answered by `ACK id` or `REJ id reason`, and an accepted order by one or two `FILL id qty`.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::market::Rng;

/// An order further than this from the market's price is refused, in hundredths of a percent of it.
const PRICE_BAND_BP: i64 = 100;
const LARGEST_ORDER: i64 = 90;

/// Starts the exchange and returns its address. It serves `connections`, each until its client hangs up.
pub(crate) fn start(
    connections: usize,
    seed: u64,
) -> io::Result<(SocketAddr, thread::JoinHandle<()>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let accept = thread::Builder::new()
        .name("exchange".into())
        .spawn(move || {
            let sessions: Vec<_> = listener
                .incoming()
                .take(connections)
                .flatten()
                .zip(0u64..)
                .map(|(stream, number)| thread::spawn(move || serve(&stream, seed ^ number)))
                .collect();
            for session in sessions {
                if let Ok(Err(error)) = session.join() {
                    eprintln!("exchange: {error}");
                }
            }
        })?;
    Ok((address, accept))
}

fn serve(stream: &TcpStream, seed: u64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut rng = Rng::new(seed);
    let mut writer = stream;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let Some((id, quantity, price, mark)) = parse_order(&line) else {
            writeln!(writer, "REJ 0 malformed")?;
            continue;
        };
        let refusal = if quantity > LARGEST_ORDER {
            Some("too large")
        } else if (price - mark).abs() * 10_000 > mark * PRICE_BAND_BP {
            Some("outside the price band")
        } else {
            None
        };
        if let Some(reason) = refusal {
            writer.write_all(format!("REJ {id} {reason}\n").as_bytes())?;
            continue;
        }
        writer.write_all(format!("ACK {id}\n").as_bytes())?;
        // The match takes its time: 50 to 300 µs, and much longer once in fifty.
        let slow = if rng.below(50) == 0 { 2_000 } else { 0 };
        thread::sleep(Duration::from_micros(50 + rng.below(250) + slow));
        let first = if quantity > 1 && rng.below(3) == 0 {
            quantity / 2
        } else {
            quantity
        };
        writer.write_all(format!("FILL {id} {first}\n").as_bytes())?;
        if first < quantity {
            thread::sleep(Duration::from_micros(20 + rng.below(100)));
            writer.write_all(format!("FILL {id} {}\n", quantity - first).as_bytes())?;
        }
    }
    Ok(())
}

fn parse_order(line: &str) -> Option<(u64, i64, i64, i64)> {
    let mut fields = line.strip_prefix("NEW ")?.split(' ');
    let id = fields.next()?.parse().ok()?;
    let mut number = || fields.next()?.parse().ok();
    Some((id, number()?, number()?, number()?))
}
