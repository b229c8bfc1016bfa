//! Checks the sizes that a Parquet file claims before its reader allocates memory for them.
//!
//! The reader believes what it reads: a page that claims two gigabytes is given them, and so is a run of a thousand
//! million times the same value. A manifest is far from every limit here.
//!
//! **Source:** apache/parquet-format, `src/main/thrift/parquet.thrift`; the numbers in paths are those of its fields.

use super::thrift::{NotThrift, Visitor, walk};

/// The most that a page of a column unpacks to. Pages are written with about one megabyte.
const MAX_PAGE_BYTES: i64 = 1 << 23;
/// The most values of a column in one group of rows: four thousand features of each row.
const MAX_CHUNK_VALUES: usize = 1 << 26;
/// The most columns and groups of columns.
const MAX_SCHEMA_ELEMENTS: usize = 256;
/// A list in the root has three.
const MAX_SCHEMA_DEPTH: usize = 8;

const MAGIC: &[u8] = b"PAR1";
/// The length of the footer and the magic number.
const TAIL_BYTES: usize = 8;

/// Why a file is not given to the reader.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// It has no beginning or no end.
    #[error("it is no Parquet file, or it is cut short")]
    Frame,
    /// Its footer or the head of a page is not readable.
    #[error("its {0} is damaged")]
    Damaged(&'static str),
    /// It claims what is out of all proportion.
    #[error("it claims {found} {what}, expected 0 to {most}")]
    Absurd {
        /// Of what.
        what: &'static str,
        /// What it claims.
        found: i64,
        /// The most that is accepted.
        most: i64,
    },
}

/// The most that a file may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    /// Its rows.
    pub(super) rows: usize,
    /// What its pages unpack to, in bytes.
    pub(super) bytes: usize,
}

/// Returns whether a file claims what can be: lists that fit in it, no more rows than there are, pages within it that unpack
/// to a bearable size, each and together.
///
/// # Errors
///
/// [`ClaimError`] saying what is wrong with it.
pub(super) fn check(file: &[u8], most: Most) -> Result<(), ClaimError> {
    let footer = footer(file).ok_or(ClaimError::Frame)?;
    let mut found = Footer::default();
    walk(footer, &mut found).map_err(|NotThrift| ClaimError::Damaged("footer"))?;
    found.check_schema()?;
    let max_rows = i64::try_from(most.rows).unwrap_or(i64::MAX);
    let max_bytes = i64::try_from(most.bytes).unwrap_or(i64::MAX);
    within("rows", found.num_rows, max_rows)?;
    let mut rows = 0_i64;
    for &group in &found.group_rows {
        rows = rows.saturating_add(within("rows of a group", group, max_rows)? as i64);
    }
    within("rows of groups", rows, max_rows)?;
    let mut bytes = 0_i64;
    for column in &found.columns {
        bytes = bytes.saturating_add(column.check(file)?);
        within("bytes when unpacked", bytes, max_bytes)?;
    }
    Ok(())
}

fn footer(file: &[u8]) -> Option<&[u8]> {
    let (body, tail) = file.split_last_chunk::<TAIL_BYTES>()?;
    if !tail.ends_with(MAGIC) || !body.starts_with(MAGIC) {
        return None;
    }
    let length = u32::from_le_bytes(*tail.first_chunk()?) as usize;
    let start = body.len().checked_sub(length)?;
    (start >= MAGIC.len()).then(|| &body[start..])
}

fn within(what: &'static str, found: i64, most: i64) -> Result<usize, ClaimError> {
    let absurd = ClaimError::Absurd { what, found, most };
    if !(0..=most).contains(&found) {
        return Err(absurd);
    }
    usize::try_from(found).map_err(|_| absurd)
}

/// What counts of a footer.
#[derive(Default)]
struct Footer {
    /// The number of children of each element of the schema, parents first.
    children: Vec<i64>,
    num_rows: i64,
    /// The number of rows of each group.
    group_rows: Vec<i64>,
    columns: Vec<ColumnChunk>,
}

/// A column in a group of rows.
#[derive(Default)]
struct ColumnChunk {
    num_values: i64,
    compressed_bytes: i64,
    first_page: i64,
    dictionary_page: Option<i64>,
}

impl Visitor for Footer {
    fn begins(&mut self, path: &[i16]) {
        match path {
            [2] => self.children.push(0),
            [4, 1] => self.columns.push(ColumnChunk::default()),
            _ => {}
        }
    }

    fn number(&mut self, path: &[i16], value: i64) {
        match path {
            [3] => self.num_rows = value,
            [4, 3] => self.group_rows.push(value),
            [2, 5] => {
                if let Some(children) = self.children.last_mut() {
                    *children = value;
                }
            }
            _ => {}
        }
        let Some(column) = self.columns.last_mut() else {
            return;
        };
        match path {
            [4, 1, 3, 5] => column.num_values = value,
            [4, 1, 3, 7] => column.compressed_bytes = value,
            [4, 1, 3, 9] => column.first_page = value,
            [4, 1, 3, 11] => column.dictionary_page = Some(value),
            _ => {}
        }
    }
}

impl Footer {
    /// The reader descends into the schema as deep as it goes.
    fn check_schema(&self) -> Result<(), ClaimError> {
        let elements = self.children.len();
        let most = MAX_SCHEMA_ELEMENTS as i64;
        within("elements of a schema", elements as i64, most)?;
        let mut open: Vec<usize> = Vec::new();
        for &children in &self.children {
            let children = within("children in its schema", children, most)?;
            while open.last() == Some(&0) {
                open.pop();
            }
            if let Some(left) = open.last_mut() {
                *left -= 1;
            }
            open.push(children);
            let depth = open.len() as i64;
            within("levels of its schema", depth, MAX_SCHEMA_DEPTH as i64)?;
        }
        Ok(())
    }
}

impl ColumnChunk {
    /// Returns how many bytes its pages unpack to.
    fn check(&self, file: &[u8]) -> Result<i64, ClaimError> {
        let size = file.len() as i64;
        within(
            "values in a column",
            self.num_values,
            MAX_CHUNK_VALUES as i64,
        )?;
        let first = within("as the place of a page", self.first_page, size)?;
        let start = match self.dictionary_page {
            Some(page) => within("as the place of a dictionary", page, size)?,
            None => first,
        };
        let left = size - start as i64;
        let length = within("bytes of a column", self.compressed_bytes, left)?;
        let pages = file.get(start..start + length);
        let mut pages = pages.ok_or(ClaimError::Frame)?;
        let mut values = 0;
        let mut bytes = 0_i64;
        while !pages.is_empty() {
            let mut page = Page::default();
            let head = walk(pages, &mut page)
                .map_err(|NotThrift| ClaimError::Damaged("head of a page"))?;
            bytes += within("bytes in a page", page.bytes, MAX_PAGE_BYTES)? as i64;
            let left = (pages.len() - head) as i64;
            let compressed = within("bytes of a page", page.compressed_bytes, left)?;
            for count in page.counts {
                values += within("values in a page", count, MAX_CHUNK_VALUES as i64)?;
            }
            within(
                "values in a column",
                values as i64,
                2 * MAX_CHUNK_VALUES as i64,
            )?;
            pages = &pages[head + compressed..];
        }
        Ok(bytes)
    }
}

/// The head of a page.
#[derive(Default)]
struct Page {
    bytes: i64,
    compressed_bytes: i64,
    counts: Vec<i64>,
}

impl Visitor for Page {
    fn begins(&mut self, _: &[i16]) {}

    fn number(&mut self, path: &[i16], value: i64) {
        match path {
            [2] => self.bytes = value,
            [3] => self.compressed_bytes = value,
            [5 | 7 | 8, 1] => self.counts.push(value),
            _ => {}
        }
    }
}
