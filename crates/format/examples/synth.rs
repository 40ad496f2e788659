//! `synth N OUT.bin [SEED]`: writes a capture of the generated load with N spans.

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;

use perf_format::load;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(spans), Some(path)) = (arguments.next(), arguments.next()) else {
        return Err("usage: synth N OUT.bin [SEED]".into());
    };
    let spans: u64 = spans.replace('_', "").parse()?;
    let seed = arguments.next().map_or(Ok(1), |seed| seed.parse())?;
    let file = BufWriter::new(File::create(&path)?);
    let file = load::write_capture(file, spans, seed)?.into_inner()?;
    let bytes = file.metadata()?.len();
    println!(
        "{path}: {spans} spans, {bytes} bytes, {:.2} bytes a span",
        bytes as f64 / spans as f64
    );
    Ok(())
}
