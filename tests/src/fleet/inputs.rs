//! Where a fleet's run reads its dataset and model.

use super::Fleet;
use crate::s3_server::BUCKET;
use crate::{repository, stored};

impl Fleet {
    /// Puts the demo's dataset and model into the bucket, and has the run read them there.
    ///
    /// # Panics
    ///
    /// If they cannot be copied.
    pub fn put_inputs_into_bucket(&mut self) {
        let demo = repository("infra/demo");
        for (part, key) in [
            ("data/gta5", "content.root"),
            ("data/style", "style.root"),
            ("model", "model.path"),
        ] {
            for path in stored::paths(&demo.join(part)) {
                let to = self.s3.folder().join(part).join(&path);
                std::fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
                std::fs::copy(demo.join(part).join(&path), to).expect("a copy");
            }
            self.set(key, format!("s3://{BUCKET}/{part}"));
        }
    }
}
