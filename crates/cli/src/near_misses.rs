//! Variables with a token for a registry that nobody knows, and that are nearly those of one that is known.

use wargate_client::credentials::Environment;
use wargate_client::origin::Domain;

/// Warns of variables whose registry is not among those that are `known`, and that differ from the
/// variable of one of them by the number of underscores alone: `WARG_TOKEN_127_0_0_1_8090` is for the
/// host `127.0.0.1.8090`, and who set it probably means port 8090 of `127.0.0.1`.
pub(crate) fn of_variables<'a>(
    names: impl Iterator<Item = &'a str>,
    known: &[Domain],
) -> Vec<String> {
    let warning = |name: &str| {
        let registry = Environment::registry_of(name)?;
        if known.contains(&registry) {
            return None;
        }
        let variables = known.iter().map(Environment::token_variable);
        let meant = variables.into_iter().find(|known| squeezed(known) == squeezed(name))?;
        Some(format!(
            "the variable `{name}` is for a registry `{registry}`, of which nothing is known; did you \
             mean `{meant}`?"
        ))
    };
    names.filter_map(warning).collect()
}

/// Whether a variable may be one that is warned of.
pub(crate) fn may_be(name: &str) -> bool {
    Environment::registry_of(name).is_some()
}

/// A name with one underscore where it has several.
fn squeezed(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for letter in name.chars() {
        if letter != '_' || !text.ends_with('_') {
            text.push(letter);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_meant_another_registry_is_told() {
        let known = ["127.0.0.1-8090", "my-registry.example"].map(|name| name.parse().unwrap());
        let of = |name: &str| of_variables([name].into_iter(), &known);
        assert_eq!(
            of("WARG_TOKEN_127_0_0_1_8090"),
            [
                "the variable `WARG_TOKEN_127_0_0_1_8090` is for a registry `127.0.0.1.8090`, of which \
              nothing is known; did you mean `WARG_TOKEN_127_0_0_1__8090`?"
            ]
        );
        let told = of("WARG_TOKEN_MY_REGISTRY_EXAMPLE");
        assert!(told[0].ends_with("did you mean `WARG_TOKEN_MY__REGISTRY_EXAMPLE`?"), "{told:?}");
        for fine in ["WARG_TOKEN_127_0_0_1__8090", "WARG_TOKEN_OTHER_EXAMPLE", "WARG_TOKEN", "HOME"]
        {
            assert!(of(fine).is_empty(), "{fine}");
        }
        // Both may be known.
        let both = ["a-b.example", "a.b.example"].map(|name| name.parse().unwrap());
        assert!(of_variables(["WARG_TOKEN_A_B_EXAMPLE"].into_iter(), &both).is_empty());
    }
}
