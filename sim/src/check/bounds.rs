//! How much is too much.

use std::time::Duration;

/// What a run allows. The defaults are for clients with default options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How long a hand-over within a client takes at the most, from what it learns to what it does, or from a
    /// deadline to its being told: default 100 ms.
    pub handover: Duration,
    /// How long clients may take to recover after the faults: default 60 s.
    pub recovery: Duration,
    /// Attempts of a client to connect to one broker within a second: default 60.
    pub connects_per_second: u32,
    /// Requests for metadata of a client within a second: default 60.
    pub metadata_per_second: u32,
    /// How often a batch is sent within a second: default 25. The pause before sending again is 100 ms at first,
    /// and there is none when the new leader is known.
    pub resends_per_second: u32,
    /// Fetches of a client within a second that one broker answers with an error: default 100.
    pub failed_fetches_per_second: u32,
    /// Observations without time passing: default 1,000,000.
    pub observations_per_instant: u64,
    /// Steps of the world for each observation, and for each second that passes: default 100 and 2,000.
    pub steps_per_observation: u64,
    /// See [`Bounds::steps_per_observation`].
    pub steps_per_second: u64,
    /// Whether readers can find out that a log was truncated: default true. Brokers before 2.4 do not tell
    /// reliably (KAFKA-9212).
    pub truncation_is_told: bool,
    /// Whether bits may arrive wrong that no checksum of the network notices: default false. Then brokers and clients
    /// may be told anything, and only what holds in any case is checked.
    pub bits_flip: bool,
    /// What may be in no text, besides the values of records. Default: nothing.
    pub secrets: Vec<String>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            handover: Duration::from_millis(100),
            recovery: Duration::from_secs(60),
            connects_per_second: 60,
            metadata_per_second: 60,
            resends_per_second: 25,
            failed_fetches_per_second: 100,
            observations_per_instant: 1_000_000,
            steps_per_observation: 100,
            steps_per_second: 2_000,
            truncation_is_told: true,
            bits_flip: false,
            secrets: Vec::new(),
        }
    }
}
