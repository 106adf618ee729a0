//! What the brokers of a named Kafka release can do.

use std::{fmt, str::FromStr};

/// A Kafka release that a cluster can pretend to be.
///
/// Parsed from a version such as `4.2`, `4.2.0` or `0.10.2.2`. A patch level is accepted and makes no difference.
/// The default is 4.2.
///
/// ```
/// use klamm_sim::Release;
///
/// let release: Release = "2.8.1".parse()?;
/// assert_eq!(release.to_string(), "2.8");
/// assert!("0.9.0".parse::<Release>().is_err());
/// # Ok::<(), klamm_sim::UnknownRelease>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Release {
    table: &'static Table,
}

/// The version named is older than 0.10.0, newer than the newest known release, or none at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no Kafka release between 0.10.0 and {newest}; the nearest is {nearest}", newest = Release::newest())]
pub struct UnknownRelease {
    text: String,
    nearest: Release,
}

#[derive(PartialEq, Eq)]
struct Table {
    /// `[major, minor, 0]` from 1.0 on, `[0, minor, patch]` before that.
    version: [u16; 3],
    name: &'static str,
    /// Lines `key min max`, as recorded from a broker of the release.
    text: &'static str,
}

macro_rules! tables {
    ($($version:expr => $name:literal,)*) => {
        &[$(Table {
            version: $version,
            name: $name,
            text: include_str!(concat!("release/", $name, ".txt")),
        },)*]
    };
}

const TABLES: &[Table] = tables! {
    [0, 10, 0] => "0.10.0",
    [0, 10, 1] => "0.10.1",
    [0, 10, 2] => "0.10.2",
    [0, 11, 0] => "0.11.0",
    [1, 0, 0] => "1.0",
    [1, 1, 0] => "1.1",
    [2, 0, 0] => "2.0",
    [2, 1, 0] => "2.1",
    [2, 2, 0] => "2.2",
    [2, 3, 0] => "2.3",
    [2, 4, 0] => "2.4",
    [2, 5, 0] => "2.5",
    [2, 6, 0] => "2.6",
    [2, 7, 0] => "2.7",
    [2, 8, 0] => "2.8",
    [3, 0, 0] => "3.0",
    [3, 1, 0] => "3.1",
    [3, 2, 0] => "3.2",
    [3, 3, 0] => "3.3",
    [3, 4, 0] => "3.4",
    [3, 5, 0] => "3.5",
    [3, 6, 0] => "3.6",
    [3, 7, 0] => "3.7",
    [3, 8, 0] => "3.8",
    [3, 9, 0] => "3.9",
    [4, 0, 0] => "4.0",
    [4, 1, 0] => "4.1",
    [4, 2, 0] => "4.2",
    [4, 3, 0] => "4.3",
    [4, 4, 0] => "4.4",
};

impl Release {
    /// The newest recorded release.
    #[must_use]
    pub const fn newest() -> Self {
        Self { table: &TABLES[TABLES.len() - 1] }
    }

    /// All recorded releases, the oldest first.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLES.iter().map(|table| Self { table })
    }

    /// The APIs as a broker of this release advertises them: key, lowest and highest version.
    pub fn apis(self) -> impl Iterator<Item = (i16, i16, i16)> {
        self.table.text.lines().filter_map(|line| {
            let mut numbers = line.split(' ').map(str::parse::<i16>);
            match (numbers.next(), numbers.next(), numbers.next()) {
                (Some(Ok(key)), Some(Ok(min)), Some(Ok(max))) => Some((key, min, max)),
                _ => None,
            }
        })
    }

    /// The release to propose to somebody who wrote `text`: the newest that is not newer, or else the oldest.
    fn nearest(text: &str) -> Self {
        let mut version = [0; 3];
        for (place, part) in version.iter_mut().zip(text.split('.')) {
            let Ok(number) = part.parse() else { break };
            *place = number;
        }
        if version == [0; 3] {
            return Self::default_release();
        }
        let not_newer = Self::all().filter(|release| release.table.version <= version).last();
        not_newer.or_else(|| Self::all().next()).unwrap_or_else(Self::newest)
    }

    fn default_release() -> Self {
        let version = [4, 2, 0];
        Self::all().find(|release| release.table.version == version).unwrap_or_else(Self::newest)
    }

    /// Whether this release is `[major, minor, patch]` or later; from 1.0 on the patch is 0.
    pub(crate) const fn at_least(self, [major, minor, patch]: [u16; 3]) -> bool {
        let [own_major, own_minor, own_patch] = self.table.version;
        own_major > major
            || own_major == major && (own_minor > minor || own_minor == minor && own_patch >= patch)
    }

    /// Whether the brokers keep their own metadata quorum (otherwise ZooKeeper's).
    pub(crate) const fn is_kraft(self) -> bool {
        self.at_least([3, 3, 0])
    }

    /// The record format of the logs.
    pub(crate) const fn log_magic(self) -> i8 {
        if self.at_least([0, 11, 0]) { 2 } else { 1 }
    }
}

impl Default for Release {
    fn default() -> Self {
        Self::default_release()
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.table.name)
    }
}

impl fmt::Debug for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Release({})", self.table.name)
    }
}

impl FromStr for Release {
    type Err = UnknownRelease;

    fn from_str(text: &str) -> Result<Self, UnknownRelease> {
        let unknown = || UnknownRelease { text: text.to_owned(), nearest: Self::nearest(text) };
        let mut version = [0; 3];
        for (index, part) in text.split('.').enumerate() {
            let number = part.parse().map_err(|_| unknown())?;
            match (index, version[0]) {
                (0 | 1, _) | (2, 0) => version[index] = number,
                (2, _) | (3, 0) => {}
                _ => return Err(unknown()),
            }
        }
        Self::all().find(|release| release.table.version == version).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests;
