//! From texts to a package.

use std::collections::BTreeMap;

use wit_parser::{Resolve, SourceMap, UnresolvedPackageGroup};

use super::{WitError, WitFile};
use crate::inspect::{guarded, one_line};
use crate::limits::{REASON_BYTES_MAX, WIT_BYTES_MAX};

/// Makes a WIT package in its binary form of the files of a folder, as build tools read it: those beside
/// one another are one package, and each folder or file below `deps` is one that it needs.
///
/// # Errors
/// [`WitError::Text`]: what is wrong with the texts.
pub fn encode(files: &[WitFile]) -> Result<Vec<u8>, WitError> {
    let refused = |reason: String| WitError::Text { reason };
    let bytes = files.iter().fold(0, |sum: usize, file| sum.saturating_add(file.text.len()));
    if bytes > WIT_BYTES_MAX {
        return Err(refused(format!("the texts have more than {WIT_BYTES_MAX} bytes")));
    }
    let mut main = SourceMap::default();
    let mut others: BTreeMap<&str, SourceMap> = BTreeMap::new();
    for WitFile { path, text } in files {
        let of = match path.strip_prefix("deps/") {
            None => &mut main,
            Some(rest) => others.entry(rest.split('/').next().unwrap_or(rest)).or_default(),
        };
        of.push_str(path, text.as_str());
    }
    let made = guarded(|| {
        let mut resolve = Resolve::default();
        let main = parse(main)?;
        let others = others.into_values().map(parse).collect::<Result<Vec<_>, _>>()?;
        let pushed = resolve.push_groups(main, others);
        let package = pushed.map_err(|error| resolve.render_error(&error.into()))?;
        wit_component_258::encode(&resolve, package).map_err(|error| format!("{error:#}"))
    });
    let made = made.unwrap_or_else(|| Err("it is beyond what this program can do".into()));
    made.map_err(|reason| {
        let mut reason = one_line(&reason);
        reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
        refused(reason)
    })
}

fn parse(map: SourceMap) -> Result<UnresolvedPackageGroup, String> {
    map.parse().map_err(|(map, error)| error.render(&map))
}
