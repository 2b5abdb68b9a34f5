use crate::{Prng, Target};

/// No input is longer, in octets: the longest DNS message, and more than any record of a name has.
pub const MAX_LENGTH: usize = 65_535;

/// Makes inputs out of seeds and words.
#[derive(Debug, Clone)]
pub struct Mutator {
    seeds: Vec<Vec<u8>>,
    words: &'static [&'static str],
    seed: u64,
    longest: usize,
}

/// What stands between and within the words of every text format, and what is hard for some of them.
const HARD: &[&str] = &[
    " ",
    "\t",
    "\n",
    "\r\n",
    "\r",
    "\0",
    ";",
    "=",
    "\"",
    "\\",
    "'",
    "(",
    ")",
    ".",
    "..",
    "@",
    "%",
    "/",
    ":",
    "-",
    "_",
    "*",
    "\\000",
    "\\255",
    "\\256",
    "\\\\",
    "\\.",
    "0",
    "-1",
    "00",
    "1",
    "255",
    "256",
    "65535",
    "65536",
    "4294967295",
    "4294967296",
    "18446744073709551615",
    "99999999999999999999",
    "\u{7f}",
    "\u{e9}",
    "\u{df}",
    "\u{200b}",
    "\u{feff}",
    "\u{201c}",
    "\u{2028}",
    "\u{3002}",
    "\u{1f600}",
    "xn--",
    "xn--bcher-kva",
];

/// Octets at the borders of what lengths and counts can be.
const EDGES: &[u8] = &[0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xc1, 0xfe, 0xff];

impl Mutator {
    /// Over the target's seeds. `longest` bounds what it makes, in octets, and is at most [`MAX_LENGTH`].
    pub fn new(target: &Target, seeds: Vec<Vec<u8>>, seed: u64, longest: usize) -> Self {
        let mut name = 0xcbf2_9ce4_8422_2325_u64;
        for octet in target.name.bytes() {
            name = (name ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
        }
        Self { seeds, words: target.words, seed: seed ^ name, longest: longest.min(MAX_LENGTH) }
    }

    /// The input of this number. It depends on nothing but the seeds, so that each can be made again without those
    /// before it.
    pub fn input(&self, number: u64) -> Vec<u8> {
        let mut prng = Prng::new(self.seed.wrapping_add(number.wrapping_mul(0xd134_2543_de82_ef95)));
        let mut input = prng.pick(&self.seeds).cloned().unwrap_or_default();
        for _ in 0..1 + prng.below(6) {
            self.change(&mut input, &mut prng);
        }
        // Once in a while very long: what is quadratic shows here.
        if prng.below(256) == 0 {
            self.stretch(&mut input, &mut prng);
        }
        input.truncate(self.longest);
        input
    }

    fn change(&self, input: &mut Vec<u8>, prng: &mut Prng) {
        let at = prng.below(input.len() + 1);
        match prng.below(14) {
            0 => {
                if let Some(octet) = input.get_mut(at) {
                    *octet ^= 1 << prng.below(8);
                }
            }
            1 => {
                if let Some(octet) = input.get_mut(at) {
                    *octet = prng.octet();
                }
            }
            2 => {
                if let (Some(octet), Some(edge)) = (input.get_mut(at), prng.pick(EDGES)) {
                    *octet = *edge;
                }
            }
            3 => input.insert(at, prng.octet()),
            4 => input.truncate(at),
            5 => drop(input.drain(some(at, input.len(), prng))),
            6 => {
                let part = input.get(some(at, input.len(), prng)).unwrap_or_default().to_vec();
                let to = prng.below(input.len() + 1);
                put(input, to, &part);
            }
            7 => {
                let other = prng.pick(&self.seeds).map(Vec::as_slice).unwrap_or_default();
                let from = prng.below(other.len() + 1);
                let part = other.get(some(from, other.len(), prng)).unwrap_or_default();
                put(input, at, part);
            }
            8 => {
                // The head of one and the tail of another.
                let other = prng.pick(&self.seeds).map(Vec::as_slice).unwrap_or_default();
                let from = prng.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(other.get(from..).unwrap_or_default());
            }
            9 | 10 => put(input, at, prng.pick(self.words).unwrap_or(&"").as_bytes()),
            11 => put(input, at, prng.pick(HARD).unwrap_or(&"").as_bytes()),
            12 => {
                let end = (at + 2).min(input.len());
                let number = (input.len() as u16).wrapping_add(prng.below(3) as u16).wrapping_sub(1);
                input.splice(at.min(end)..end, number.to_be_bytes());
            }
            _ => {
                let word = prng.pick(self.words).unwrap_or(&"").as_bytes();
                let range = some(at, input.len(), prng);
                input.splice(range, word.iter().copied());
            }
        }
        input.truncate(self.longest);
    }

    /// Repeats a part until the input has some length up to the longest.
    fn stretch(&self, input: &mut Vec<u8>, prng: &mut Prng) {
        let at = prng.below(input.len() + 1);
        let part = match prng.below(3) {
            0 => input.get(some(at, input.len(), prng)).unwrap_or_default().to_vec(),
            1 => prng.pick(self.words).unwrap_or(&"").as_bytes().to_vec(),
            _ => prng.pick(HARD).unwrap_or(&"").as_bytes().to_vec(),
        };
        if part.is_empty() {
            return;
        }
        let wanted = prng.below(self.longest + 1).saturating_sub(input.len());
        let many = part.repeat(wanted / part.len() + 1);
        put(input, at, &many);
    }
}

/// Some octets from `at` on: mostly few.
fn some(at: usize, length: usize, prng: &mut Prng) -> std::ops::Range<usize> {
    let most = if prng.below(4) == 0 { length } else { 16 };
    at.min(length)..(at + 1 + prng.below(most)).min(length).max(at.min(length))
}

fn put(input: &mut Vec<u8>, at: usize, part: &[u8]) {
    let at = at.min(input.len());
    input.splice(at..at, part.iter().copied());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutator(seed: u64) -> Mutator {
        let target = Target { name: "x", about: "", run: |_| {}, words: &["word"] };
        Mutator::new(&target, vec![b"one seed".to_vec(), b"another".to_vec()], seed, 100)
    }

    #[test]
    fn a_number_is_always_the_same_input() {
        let inputs = |seed| (0..2000).map(|number| mutator(seed).input(number)).collect::<Vec<_>>();
        let first = inputs(1);
        assert_eq!(first, inputs(1));
        assert_ne!(first, inputs(2));
        assert!(first.iter().all(|input| input.len() <= 100));
        assert!(first.iter().any(|input| input.len() > 50));
        let different: std::collections::HashSet<_> = first.iter().collect();
        assert!(different.len() > 1000, "{}", different.len());
    }

    #[test]
    fn without_seeds_there_are_inputs() {
        let target = Target { name: "x", about: "", run: |_| {}, words: &[] };
        let mutator = Mutator::new(&target, Vec::new(), 1, 100);
        assert!((0..1000).any(|number| !mutator.input(number).is_empty()));
    }
}
