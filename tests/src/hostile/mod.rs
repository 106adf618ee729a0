//! Peers that are no Kafka, or a malicious one: TCP servers that do one wrong thing each.

mod ambush;
mod frames;
mod server;

pub use ambush::Ambush;
pub use server::HostileServer;

/// The one wrong thing that a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misbehaviour {
    /// Nothing listens at the port.
    Unreachable,
    /// Closes as soon as it has accepted.
    CloseAtOnce,
    /// Closes on receiving a request.
    CloseOnRequest,
    /// Closes in the middle of a response.
    CloseMidFrame,
    /// Reads and never answers.
    NeverAnswer,
    /// Answers one byte a second.
    OneByteASecond,
    /// Answers with another correlation id than it was asked with.
    WrongCorrelation,
    /// Claims that its response has this many bytes.
    ClaimLength(u32),
    /// Answers `ApiVersions` with a count of 2^31 - 1 entries, and has none.
    HugeCount,
    /// Answers `ApiVersions` well and then sends frames of random bytes.
    RandomFrames(u64),
    /// Answers `ApiVersions` well and then sends random bytes without frames.
    RandomBytes(u64),
    /// Answers `ApiVersions` well and then claims counts of 2^31 - 1 elements.
    HugeCountLater,
    /// Answers `ApiVersions` and `Metadata` well, with itself as the only broker, and nothing else.
    NeverReady,
    /// Answers every request that its version is not supported.
    UnsupportedVersion,
    /// A web server.
    Http,
    /// A server that speaks TLS only.
    Tls,
    /// A server that speaks first, as SSH and mail servers do.
    Banner,
}

impl Misbehaviour {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::Unreachable,
        Self::CloseAtOnce,
        Self::CloseOnRequest,
        Self::CloseMidFrame,
        Self::NeverAnswer,
        Self::OneByteASecond,
        Self::WrongCorrelation,
        Self::ClaimLength(0),
        Self::ClaimLength(3),
        Self::ClaimLength(1_000_000_000),
        Self::ClaimLength(0x7fff_ffff),
        Self::ClaimLength(0x8000_0000),
        Self::ClaimLength(0xffff_ffff),
        Self::HugeCount,
        Self::RandomFrames(1),
        Self::RandomBytes(2),
        Self::HugeCountLater,
        Self::NeverReady,
        Self::UnsupportedVersion,
        Self::Http,
        Self::Tls,
        Self::Banner,
    ];

    /// The part of a test's name that tells it.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::ClaimLength(length) => format!("claim_length_{length:x}"),
            Self::RandomFrames(seed) => format!("random_frames_{seed}"),
            Self::RandomBytes(seed) => format!("random_bytes_{seed}"),
            plain => {
                let mut name = String::new();
                for letter in format!("{plain:?}").chars() {
                    if letter.is_uppercase() && !name.is_empty() {
                        name.push('_');
                    }
                    name.extend(letter.to_lowercase());
                }
                name
            }
        }
    }

    /// One of these words, in any case, must be in the error: it names the cause and not just that there was one.
    #[must_use]
    pub fn causes(self) -> &'static [&'static str] {
        match self {
            Self::Unreachable => &["refused"],
            Self::CloseAtOnce | Self::CloseOnRequest | Self::CloseMidFrame => &["closed", "reset"],
            Self::NeverAnswer | Self::OneByteASecond => &["time", "did not answer", "no answer"],
            Self::WrongCorrelation => &["correlation"],
            Self::ClaimLength(_) | Self::Banner => &["frame", "length", "size", "bytes", "kafka"],
            Self::HugeCount | Self::HugeCountLater => &["malformed", "decode", "count", "elements", "kafka"],
            Self::RandomFrames(_) | Self::RandomBytes(_) => {
                &["malformed", "decode", "frame", "correlation", "kafka", "closed", "length"]
            }
            Self::NeverReady => &["in time", "does not speak of it"],
            Self::UnsupportedVersion => &["version"],
            Self::Http => &["http"],
            Self::Tls => &["tls"],
        }
    }

    /// Whether the first bytes of the peer betray it, so that an error must come at once and not when time is up.
    #[must_use]
    pub fn is_plain_at_once(self) -> bool {
        matches!(self, Self::Http | Self::Tls)
    }
}
