//! Names that look like another: for people who mistyped.

use wargate_protocol::PackageName;

/// The names most like this one, best first.
pub(crate) fn to(
    wanted: &PackageName,
    names: impl Iterator<Item = PackageName>,
    count_max: usize,
) -> Vec<PackageName> {
    let wanted = wanted.to_string();
    let limit = (wanted.chars().count() / 3).max(1);
    let mut ranked: Vec<_> = names
        .map(|name| (strsim::damerau_levenshtein(&wanted, name.as_str()), name))
        .filter(|(distance, _)| (1..=limit).contains(distance))
        .collect();
    ranked.sort();
    ranked.truncate(count_max);
    ranked.into_iter().map(|(_, name)| name).collect()
}
