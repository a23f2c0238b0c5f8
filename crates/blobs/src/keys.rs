//! What objects are called: `PREFIX/content/sha256/5e/5e884898da28…`, which is how a folder of content
//! is laid out, so that one can be copied into the other.

use object_store::path::Path;
use wargate_crypto::Digest;

use crate::target::Target;

const CONTENTS: &str = "content/sha256";
/// What stands before the digits in a digest's text.
const ALGORITHM: &str = "sha256:";

/// The name of content.
pub(crate) fn content(target: &Target, digest: &Digest) -> Path {
    let text = digest.to_text();
    let digits = text.strip_prefix(ALGORITHM).unwrap_or(&text);
    let shard = digits.get(..2).unwrap_or_default();
    target.path(&format!("{CONTENTS}/{shard}/{digits}"))
}

/// What the names of all content begin with.
pub(crate) fn contents(target: &Target) -> Path {
    target.path(CONTENTS)
}

/// The digest that a name is of; `None` for what somebody else has put there.
pub(crate) fn digest(target: &Target, path: &Path) -> Option<Digest> {
    let digest = format!("{ALGORITHM}{}", path.filename()?).parse().ok()?;
    (content(target, &digest) == *path).then_some(digest)
}
