//! All lies.

mod checkpoints;
mod content;
mod elsewhere;
mod forged;
mod forms;
mod histories;
mod proofs;
mod publishing;
mod records;
mod transport;

use super::lie::{Lie, Verdict};

/// Every lie, each with a name of its own.
pub fn lies() -> Vec<Lie> {
    let parts = [
        checkpoints::lies(),
        content::lies(),
        elsewhere::lies(),
        forged::lies(),
        forms::lies(),
        histories::lies(),
        proofs::lies(),
        publishing::lies(),
        records::lies(),
        transport::lies(),
    ];
    parts.into_iter().flatten().collect()
}

/// No lie at all: the newest truth, told as lies are.
pub fn truth() -> Lie {
    Lie::new("truth", "The newest state of the registry, as it is.").expect(&[Verdict::Harmless])
}

/// Wrongdoings that the verifier finds.
macro_rules! faults {
    ($($fault:ident),+) => { &[$($crate::hostile::Verdict::Misbehaviour($crate::hostile::FaultKind::$fault)),+] };
}
use faults;
