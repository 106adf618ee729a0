//! Points in time and lengths of time as people write them.

use std::time::Duration;

const DAY_MS: i64 = 86_400_000;

/// Milliseconds since 1970 of `2026-01-31`, `2026-01-31T12:00:00.5Z`, `2026-01-31 12:00+01:00`, or `@1700000000000`.
/// Without a zone it is UTC.
pub(crate) fn point(text: &str) -> Option<i64> {
    if let Some(milliseconds) = text.strip_prefix('@') {
        return milliseconds.parse().ok().filter(|it| *it >= 0);
    }
    let (date, rest) = text.split_at_checked(10)?;
    let day = day(date)?;
    if rest.is_empty() {
        return day.checked_mul(DAY_MS);
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, zone) = match rest.find(['Z', 'z', '+', '-']) {
        Some(at) => rest.split_at(at),
        None => (rest, "Z"),
    };
    day.checked_mul(DAY_MS)?.checked_add(of_day(clock)?)?.checked_sub(offset(zone)?)
}

/// Days since 1970 of `YYYY-MM-DD`.
fn day(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let mut part = |digits: usize| {
        let text = parts.next().filter(|text| text.len() == digits)?;
        number(text)
    };
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let february = if leap { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let month = usize::try_from(month).ok()?.checked_sub(1)?;
    let length = *lengths.get(month)?;
    if !(1..=length).contains(&day) {
        return None;
    }
    let before: i64 = lengths[..month].iter().sum();
    let past = year - 1;
    let leap_days = past / 4 - past / 100 + past / 400;
    // Of the days since the year 1, so many were before 1970.
    Some(past * 365 + leap_days + before + day - 1 - 719_162)
}

/// Milliseconds since midnight of `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fff`.
fn of_day(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, ':');
    let (hour, minute) = (two_digits(parts.next()?, 23)?, two_digits(parts.next()?, 59)?);
    let (seconds, fraction) = match parts.next() {
        None => (0, 0),
        Some(rest) => {
            let (seconds, fraction) = rest.split_once('.').unwrap_or((rest, "0"));
            // A thousandth of a second is as fine as Kafka's clocks are.
            let fraction: String = fraction.chars().chain("00".chars()).take(3).collect();
            (two_digits(seconds, 59)?, number(&fraction)?)
        }
    };
    Some(((hour * 60 + minute) * 60 + seconds) * 1000 + fraction)
}

/// Milliseconds that a zone is ahead of UTC: `Z`, `+01:00`, `-0530`, `+01`.
fn offset(text: &str) -> Option<i64> {
    let ahead = match text.chars().next()? {
        'Z' | 'z' if text.len() == 1 => return Some(0),
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let digits = text[1..].replace(':', "");
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes = if minutes.is_empty() { "00" } else { minutes };
    Some(ahead * (two_digits(hours, 23)? * 60 + two_digits(minutes, 59)?) * 60_000)
}

fn two_digits(text: &str, most: i64) -> Option<i64> {
    number(text).filter(|number| text.len() == 2 && *number <= most)
}

fn number(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// `90s`, `15m`, `2h`, `7d`, or as ISO 8601 has it: `PT2H30M`, `P1DT12H`.
pub(crate) fn length(text: &str) -> Option<Duration> {
    let Some(parts) = text.strip_prefix(['P', 'p']) else {
        let (unit, seconds) = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)]
            .into_iter()
            .find(|(unit, _)| text.ends_with(unit))?;
        let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
        return Some(Duration::from_secs(count.checked_mul(seconds)?));
    };
    let (mut seconds, mut digits, mut in_time) = (0_u64, String::new(), false);
    for letter in parts.chars().map(|letter| letter.to_ascii_uppercase()) {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        let unit = match (letter, in_time) {
            ('T', false) if digits.is_empty() => {
                in_time = true;
                continue;
            }
            ('W', false) => 7 * 86_400,
            ('D', false) => 86_400,
            ('H', true) => 3_600,
            ('M', true) => 60,
            ('S', true) => 1,
            _ => return None,
        };
        let count: u64 = core::mem::take(&mut digits).parse().ok()?;
        seconds = seconds.checked_add(count.checked_mul(unit)?)?;
    }
    (digits.is_empty() && parts.len() > 1).then(|| Duration::from_secs(seconds))
}
