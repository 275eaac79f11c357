//! Choices made by bytes: whoever supplies the bytes (proptest, libFuzzer) steers what is made of them.

/// Bytes to choose by. When they are used up every choice is the first one.
pub struct Dice<'a> {
    rest: &'a [u8],
}

/// Pieces of texts that have meant trouble somewhere.
const PIECES: &[&str] = &[
    "a",
    "contoso",
    "westeurope",
    "West Europe",
    " ",
    "",
    "\u{0}",
    "\u{7f}",
    "\r\n",
    "\t",
    "%",
    "%2F",
    "%00",
    "..",
    "/",
    "\\",
    "'",
    "\"",
    "{",
    "}",
    "[",
    "]",
    "<b>",
    "&",
    "=",
    ",",
    ";",
    "*",
    "W/",
    "-",
    "0",
    "7",
    "99999999999999999999",
    "1e400",
    "NaN",
    "true",
    "null",
    "ü",
    "é",
    "\u{301}",
    "\u{1F525}",
    "\u{202e}",
    "\u{feff}",
    "\u{ffff}",
    "\u{10ffff}",
    "視頻",
    "１",
    "İ",
    "ß",
    "2026-03-01T10:04:00Z",
    "9999-12-31T23:59:59Z",
    "-009999-01-01T00:00:00Z",
    "1h30m",
    "60s",
    "_2e",
];

impl<'a> Dice<'a> {
    /// Dice over these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes that are left.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else {
            return 0;
        };
        self.rest = rest;
        *first
    }

    /// A number below this one, which is from 1.
    pub fn below(&mut self, limit: usize) -> usize {
        let mut drawn = usize::from(self.byte());
        if limit > 256 {
            drawn = drawn << 8 | usize::from(self.byte());
        }
        drawn % limit.max(1)
    }

    /// True for one of this many.
    pub fn one_of(&mut self, many: usize) -> bool {
        self.below(many) == many - 1
    }

    /// One of these.
    pub fn pick<'b, T>(&mut self, all: &'b [T]) -> &'b T {
        &all[self.below(all.len())]
    }

    /// Eight bytes as a number.
    pub fn number(&mut self) -> i64 {
        let mut bytes = [0; 8];
        bytes.fill_with(|| self.byte());
        i64::from_le_bytes(bytes)
    }

    /// A text of a few pieces, now and then a long one.
    pub fn text(&mut self) -> String {
        let pieces = self.below(5);
        let text: String = (0..pieces).map(|_| *self.pick(PIECES)).collect();
        match self.below(24) {
            22 => text + &"x".repeat(*self.pick(&[63, 64, 200, 255, 256, 301, 1000, 1001])),
            23 => text.repeat(40),
            _ => text,
        }
    }

    /// Breaks bytes in a place or two: cut off, overwritten, doubled, with something in front or behind.
    pub fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..self.below(3) {
            let at = self.below(bytes.len().min(65_000) + 1);
            match self.below(6) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, self.byte()),
                2 => bytes.extend_from_within(at.min(bytes.len())..),
                3 => drop(bytes.splice(0..0, *b"\xef\xbb\xbf")),
                4 => bytes.extend_from_slice(self.text().as_bytes()),
                _ => {
                    let byte = self.byte();
                    if let Some(there) = bytes.get_mut(at) {
                        *there = byte;
                    }
                }
            }
        }
    }
}
