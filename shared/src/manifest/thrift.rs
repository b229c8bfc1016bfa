//! A walk over Thrift's compact protocol, in which Parquet writes what its files hold.
//!
//! Parquet's reader takes memory for as many elements as a list claims to have. Here a list cannot claim more than
//! there are bytes for.
//!
//! **Source:** the Thrift compact protocol specification (apache/thrift, `doc/specs/thrift-compact-protocol.md`).

/// The deepest nesting of structures.
const MAX_DEPTH: usize = 16;

/// What is not Thrift's compact protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotThrift;

/// Who is told what is found. A path holds the numbers of fields from the outermost structure on; elements of a list
/// have the path of the list.
pub(super) trait Visitor {
    /// A structure begins.
    fn begins(&mut self, path: &[i16]);
    /// A whole number.
    fn number(&mut self, path: &[i16], value: i64);
}

/// Walks over the structure at the beginning of some bytes; returns how many it has.
pub(super) fn walk(bytes: &[u8], visitor: &mut dyn Visitor) -> Result<usize, NotThrift> {
    let mut walk = Walk {
        rest: bytes,
        path: Vec::new(),
        visitor,
    };
    walk.structure()?;
    Ok(bytes.len() - walk.rest.len())
}

struct Walk<'a> {
    rest: &'a [u8],
    path: Vec<i16>,
    visitor: &'a mut dyn Visitor,
}

impl Walk<'_> {
    fn structure(&mut self) -> Result<(), NotThrift> {
        if self.path.len() > MAX_DEPTH {
            return Err(NotThrift);
        }
        self.visitor.begins(&self.path);
        let mut field = 0_i16;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(());
            }
            field = match head >> 4 {
                0 => i16::try_from(self.zigzag()?).map_err(|_| NotThrift)?,
                step => field.checked_add(i16::from(step)).ok_or(NotThrift)?,
            };
            self.path.push(field);
            match head & 0x0f {
                // The head of a field that is true or false is its value as well.
                1 | 2 => {}
                kind => self.value(kind)?,
            }
            self.path.pop();
        }
    }

    fn value(&mut self, kind: u8) -> Result<(), NotThrift> {
        match kind {
            1..=3 => self.skip(1),
            4..=6 => {
                let value = self.zigzag()?;
                self.visitor.number(&self.path, value);
                Ok(())
            }
            7 => self.skip(8),
            8 => {
                let length = self.length()?;
                self.skip(length)
            }
            9 | 10 => self.list(),
            11 => self.map(),
            12 => self.structure(),
            13 => self.skip(16),
            _ => Err(NotThrift),
        }
    }

    fn list(&mut self) -> Result<(), NotThrift> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.length()?,
            count => usize::from(count),
        };
        self.elements(count, &[head & 0x0f])
    }

    fn map(&mut self) -> Result<(), NotThrift> {
        let count = self.length()?;
        if count == 0 {
            return Ok(());
        }
        let kinds = self.byte()?;
        self.elements(count, &[kinds >> 4, kinds & 0x0f])
    }

    /// Every element has at least a byte, so there cannot be more of them than bytes.
    fn elements(&mut self, count: usize, kinds: &[u8]) -> Result<(), NotThrift> {
        if count > self.rest.len() || self.path.len() > MAX_DEPTH {
            return Err(NotThrift);
        }
        // So that lists of lists are counted as well.
        self.path.push(0);
        let list = self.path.len();
        for _ in 0..count {
            for &kind in kinds {
                let inner = match kind {
                    9..=11 => list,
                    _ => list - 1,
                };
                let above = self.path.split_off(inner);
                self.value(kind)?;
                self.path.extend(above);
            }
        }
        self.path.pop();
        Ok(())
    }

    fn byte(&mut self) -> Result<u8, NotThrift> {
        let (&byte, rest) = self.rest.split_first().ok_or(NotThrift)?;
        self.rest = rest;
        Ok(byte)
    }

    fn skip(&mut self, count: usize) -> Result<(), NotThrift> {
        self.rest = self.rest.get(count..).ok_or(NotThrift)?;
        Ok(())
    }

    fn varint(&mut self) -> Result<u64, NotThrift> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(NotThrift)
    }

    fn zigzag(&mut self) -> Result<i64, NotThrift> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn length(&mut self) -> Result<usize, NotThrift> {
        let length = usize::try_from(self.varint()?).map_err(|_| NotThrift)?;
        if length > self.rest.len() {
            return Err(NotThrift);
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Seen(Vec<(Vec<i16>, i64)>);

    impl Visitor for Seen {
        fn begins(&mut self, _: &[i16]) {}

        fn number(&mut self, path: &[i16], value: i64) {
            self.0.push((path.to_vec(), value));
        }
    }

    fn seen(bytes: &[u8]) -> Result<Vec<(Vec<i16>, i64)>, NotThrift> {
        let mut seen = Seen::default();
        let length = walk(bytes, &mut seen)?;
        assert_eq!(length, bytes.len());
        Ok(seen.0)
    }

    #[test]
    fn numbers_are_told_with_the_fields_that_lead_to_them() {
        // 1: i32 3, 3: list of two structures {1: i32 -1} {1: i32 64}, 4: binary, 5: true
        let bytes = [
            0x15, 6, 0x29, 0x2c, 0x15, 1, 0, 0x15, 0x80, 1, 0, 0x18, 2, b'a', b'b', 0x11, 0,
        ];
        let expected = vec![(vec![1], 3), (vec![3, 1], -1), (vec![3, 1], 64)];
        assert_eq!(seen(&bytes), Ok(expected));
    }

    #[test]
    fn a_list_that_claims_more_than_there_is_and_endless_nesting_are_refused() {
        let list = [0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0];
        assert_eq!(seen(&list), Err(NotThrift));
        assert_eq!(seen(&[0x18, 0xff, 0xff, 0x03]), Err(NotThrift));
        assert_eq!(seen(&[0x1c; 100]), Err(NotThrift));
        assert_eq!(seen(&[0x19, 0x19].repeat(100)), Err(NotThrift));
        assert_eq!(seen(&[0x15, 0xff, 0xff]), Err(NotThrift));
    }
}
