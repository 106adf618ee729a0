//! Runs an embedded cluster until standard input ends: `serve [BROKERS [KAFKA_VERSION [ADDRESS]]]`.

use std::io::{self, Write as _};

use klamm_sim::EmbeddedCluster;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut builder = EmbeddedCluster::builder();
    if let Some(brokers) = arguments.next() {
        builder = builder.brokers(brokers.parse()?);
    }
    if let Some(version) = arguments.next() {
        builder = builder.kafka_version(version);
    }
    if let Some(address) = arguments.next() {
        builder = builder.listen(address.parse()?);
    }
    let cluster = builder.start()?;
    writeln!(io::stdout(), "{}", cluster.bootstrap())?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}
