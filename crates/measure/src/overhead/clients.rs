//! The clients of the service: each sends its next request when it has the answer to the one before.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::figures::Block;

const CLIENTS: u64 = 8;
const BLOCK: Duration = Duration::from_millis(500);

/// Half a second of requests.
pub(crate) fn block(address: SocketAddr) -> Result<Block> {
    let start = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| thread::spawn(move || client(address, number, start + BLOCK)))
        .collect();
    let mut took = Vec::new();
    for client in clients {
        let result = client.join().ok().context("a client panicked")?;
        took.extend(result?);
    }
    let wall = start.elapsed();
    took.sort_unstable();
    Ok(Block::of_times(&took, wall))
}

/// The times of all its requests.
fn client(address: SocketAddr, number: u64, until: Instant) -> Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut took = Vec::new();
    let mut answer = [0; 1024];
    while Instant::now() < until {
        let trace = number << 32 | (took.len() as u64 + 1);
        let request = format!(
            "GET /order/{} HTTP/1.1\r\nhost: bench\r\ntraceparent: 00-4bf92f3577b34da6{trace:016x}-00000000000000aa-01\r\n\r\n",
            trace % 90 + 1
        );
        let begin = Instant::now();
        stream.write_all(request.as_bytes())?;
        // Heads are short and bodies of fixed length end with the brace: an answer is one packet.
        let mut length = 0;
        while !answer[..length].ends_with(b"}") {
            let read = stream.read(&mut answer[length..])?;
            ensure!(read > 0, "the service hung up");
            length += read;
        }
        took.push(begin.elapsed());
        ensure!(
            answer.starts_with(b"HTTP/1.1 200"),
            "the service refused: {}",
            String::from_utf8_lossy(&answer[..length])
        );
    }
    Ok(took)
}
