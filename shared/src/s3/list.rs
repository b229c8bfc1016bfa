//! Requests that list objects, a page at a time, or the folders that they seem to lie in.

use futures::StreamExt;
use futures::stream::BoxStream;

use super::error_response::Cause;
use super::object::{Cursor, CutShort, next_token, size};
use super::{Bucket, BucketObject};
use crate::storage_error::StorageError;
use crate::storage_error::StorageErrorKind::Denied;

impl Bucket {
    /// Returns the objects whose paths begin with `below`, sorted by the bytes of their paths.
    pub(crate) fn pages(
        &self,
        below: &str,
    ) -> BoxStream<'static, Result<Vec<BucketObject>, StorageError>> {
        let (bucket, below) = (self.clone(), below.to_owned());
        futures::stream::try_unfold(Some(Cursor::default()), move |cursor| {
            let (bucket, below) = (bucket.clone(), below.clone());
            async move {
                match cursor {
                    Some(cursor) => bucket.page(&below, cursor).await.map(Some),
                    None => Ok(None),
                }
            }
        })
        .boxed()
    }

    async fn page(
        &self,
        below: &str,
        mut cursor: Cursor,
    ) -> Result<(Vec<BucketObject>, Option<Cursor>), StorageError> {
        let list = self.client.list_objects_v2().bucket(&self.at.bucket);
        let list = list
            .prefix(self.key(below))
            .set_continuation_token(cursor.token.take());
        let listed = list.send().await;
        let listed = listed.map_err(|e| self.failed("list", below, &e))?;

        let wrong = |cause: fn(String) -> Cause| {
            let cause = cause(self.at.bucket.clone());
            cause.of(Denied, "list", self.address(below))
        };
        let mut page = Vec::new();
        for object in listed.contents.unwrap_or_default() {
            // One without a key comes before any other.
            let key = object.key.unwrap_or_default();
            if !cursor.moves_to(&key) {
                return Err(wrong(Cause::Unsorted));
            }
            let size_bytes = size(object.size).ok_or_else(|| wrong(Cause::Sizeless))?;
            page.extend(BucketObject::below(&self.at.prefix, &key, size_bytes));
        }
        let next = next_token(listed.is_truncated, listed.next_continuation_token);
        cursor.token = next.map_err(|CutShort| wrong(Cause::CutListing))?;
        let next = cursor.token.is_some().then_some(cursor);
        Ok((page, next))
    }

    /// Returns the names directly below a path that have something below them.
    pub(crate) async fn folders(&self, below: &str) -> Result<Vec<String>, StorageError> {
        let prefix = self.key(below);
        let mut names = Vec::new();
        let mut token = None;
        loop {
            let list = self.client.list_objects_v2().bucket(&self.at.bucket);
            let list = list
                .prefix(&prefix)
                .delimiter("/")
                .set_continuation_token(token);
            let listed = list
                .send()
                .await
                .map_err(|e| self.failed("list", below, &e))?;
            for found in listed.common_prefixes.unwrap_or_default() {
                let found = found.prefix.unwrap_or_default();
                let name = found
                    .strip_prefix(&prefix)
                    .map(|name| name.trim_end_matches('/'));
                names.extend(name.map(str::to_owned));
            }
            let next = next_token(listed.is_truncated, listed.next_continuation_token);
            token = next.map_err(|CutShort| {
                let cause = Cause::CutListing(self.at.bucket.clone());
                cause.of(Denied, "list", self.address(below))
            })?;
            if token.is_none() {
                return Ok(names);
            }
        }
    }
}
