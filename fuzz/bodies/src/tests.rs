use crate::allocation::Counting;
use crate::{TARGETS, seeds};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A small generator of numbers that look random: the damage is the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit.max(1)
    }
}

/// Changes, cuts, repeats or inserts a little, with a taste for the extremes of lengths and counts.
fn damage(seed: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    const EXTREMES: [&[u8]; 6] = [
        &[0xff, 0xff, 0xff, 0xff],
        &[0x7f, 0xff, 0xff, 0xff],
        &[0x80, 0, 0, 0],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0, 0, 0, 0],
        &[0x7f, 0xff],
    ];
    let mut bytes = seed.to_vec();
    for _ in 0..=numbers.below(3) {
        let at = numbers.below(bytes.len());
        match numbers.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.splice(at..at, [numbers.below(256) as u8]).for_each(drop),
            2 => {
                let extreme = EXTREMES[numbers.below(EXTREMES.len())];
                let end = (at + extreme.len()).min(bytes.len());
                bytes.splice(at..end, extreme.iter().copied()).for_each(drop);
            }
            3 => {
                let end = (at + numbers.below(40)).min(bytes.len());
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again).for_each(drop);
            }
            _ if !bytes.is_empty() => bytes[at] ^= 1 << numbers.below(8),
            _ => {}
        }
    }
    bytes
}

#[test]
fn seeds_pass() {
    for target in TARGETS {
        let seeds = seeds::of(target.name).unwrap();
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        for seed in seeds {
            (target.run)(&seed);
        }
        (target.run)(&[]);
    }
}

#[test]
fn damaged_seeds_pass() {
    let mut numbers = Numbers(0x5eed);
    for target in TARGETS {
        for seed in seeds::of(target.name).unwrap() {
            for _ in 0..50 {
                let input = damage(&seed, &mut numbers);
                let body = target.run;
                let outcome = std::panic::catch_unwind(|| body(&input));
                let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
                assert!(outcome.is_ok(), "{} fails for {hex}", target.name);
            }
        }
    }
}

#[test]
fn seeds_of_connections_get_answers() {
    for seed in seeds::of("connection").unwrap().into_iter().filter(|seed| seed.starts_with(&[5, 0])) {
        let events = crate::connection::feed(&seed[2..], usize::MAX, false);
        assert!(events.iter().any(|event| event.starts_with("Ready")), "{events:?}");
        let answered = |event: &String| event.starts_with("Response") || event.contains("Malformed");
        assert!(events.iter().any(answered), "{events:?}");
    }
}
