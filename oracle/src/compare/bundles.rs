//! Bundles, beside `wac`.

use std::io;

use wargate_oracle::bundle::Tower;

use crate::measure::{Row, Side};
use crate::sizes::{TOWER_COMPONENT, TOWER_LEVELS};

pub(crate) fn rows() -> Vec<Row> {
    let ours = tower();
    let theirs = ours.clone();
    vec![Row {
        name: "bundle a tower of 35 MB".to_owned(),
        measures: "14 components of Go, each of which calls the next, to one valid component that is \
                   written to nowhere; ours compares the contents with their digests, which wac does \
                   not do; what is handed to wac is its own and not copied",
        ours: Side::repeated(move |_| ours.write_ours(&mut io::sink())),
        theirs: Side::fresh(
            move || theirs.clone().into_theirs(),
            |theirs| theirs.write(&mut io::sink()),
        ),
    }]
}

/// The tower of all rows.
pub(crate) fn tower() -> Tower {
    Tower::of(&[TOWER_COMPONENT; TOWER_LEVELS])
}
