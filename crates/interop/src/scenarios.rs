//! What is tried, one function each.

mod account;
mod cargo_component;
mod components;
mod crowd;
mod foreign;
mod history;
mod pairs;
mod permissions;
mod publishing;
mod reading;
mod refusals;
mod rounds;
mod wac;
mod wkg;

use anyhow::Result;

use crate::fixtures::{ALICE, Person};
use crate::lab::Lab;
use crate::recording::ServerOptions;

/// Something that people do with a registry.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Who may publish; if nobody is named, everybody.
    authorized: &'static [Person],
    /// The path of the registry's public URL, without the first slash.
    path: &'static str,
    /// Namespaces in the first record of the operator log. The reference implementation's server
    /// takes only the first.
    namespaces: &'static [&'static str],
    pub(crate) play: fn(&mut Lab) -> Result<()>,
    /// Whether the reference implementation's server passes it too; otherwise it shows where ours
    /// is better.
    pub(crate) is_common: bool,
    /// Whether its registry is always the reference implementation's: that is how our client is tried
    /// there.
    pub(crate) is_elsewhere: bool,
    /// Whether it goes the same way every time, so that it can be replayed.
    pub(crate) is_recorded: bool,
}

const fn common(
    name: &'static str,
    about: &'static str,
    play: fn(&mut Lab) -> Result<()>,
) -> Scenario {
    Scenario { is_common: true, ..ours(name, about, play) }
}

const fn ours(
    name: &'static str,
    about: &'static str,
    play: fn(&mut Lab) -> Result<()>,
) -> Scenario {
    Scenario {
        name,
        about,
        authorized: &[],
        path: "",
        namespaces: &["test"],
        play,
        is_common: false,
        is_elsewhere: false,
        is_recorded: true,
    }
}

/// With our client, beside the released one.
const fn pair(
    name: &'static str,
    about: &'static str,
    play: fn(&mut Lab) -> Result<()>,
) -> Scenario {
    Scenario { namespaces: &["test", "wasi"], is_recorded: false, ..ours(name, about, play) }
}

/// The same at the reference implementation's server.
const fn elsewhere(
    name: &'static str,
    about: &'static str,
    play: fn(&mut Lab) -> Result<()>,
) -> Scenario {
    Scenario { is_elsewhere: true, ..pair(name, about, play) }
}

/// In the order in which they run. Those at the reference implementation's server, which signs a
/// checkpoint only every five seconds, run beside the others.
pub(crate) const SCENARIOS: &[Scenario] = &[
    common("warg-keys", "warg config, key new, info, set and delete", account::keys),
    common("warg-login", "warg login and logout; the token travels", account::login),
    common("warg-publish", "init, and releases of new and existing packages", publishing::publish),
    common("warg-pending", "publish start, list, abort, submit: one record", publishing::pending),
    common("warg-no-wait", "publish without waiting, and wait later", publishing::no_wait),
    common("warg-yank", "yank asks, and hides the version", publishing::yank),
    common("warg-grant", "a second key: granted, used, revoked", permissions::grant_and_revoke),
    common("warg-download", "download with and without version and file", reading::download),
    common("warg-update", "update over several checkpoints", reading::update),
    common("warg-storage", "info, clear and reset", reading::storage),
    common("warg-lock", "dependencies, lock and bundle of a package without any", reading::lock),
    common("warg-unknown-namespace", "404 for an undefined namespace", refusals::unknown_namespace),
    Scenario {
        authorized: &[ALICE],
        ..common(
            "warg-unauthorized",
            "401 for a key that is not in the authorised-keys file",
            refusals::unauthorized,
        )
    },
    common("warg-duplicate", "a version is released only once", refusals::duplicate),
    ours("warg-restart", "clients go on after two power cuts", publishing::restart),
    Scenario {
        is_recorded: false,
        ..ours("warg-crowd", "many publish at once, also the same package", crowd::publish)
    },
    Scenario {
        path: "below/a.path/",
        ..ours("warg-path", "a registry whose public URL has a path", reading::download)
    },
    ours("warg-garbage", "422 for content that is no Wasm", refusals::garbage),
    ours("warg-wrong-name", "422 for a WIT package of another name", refusals::wrong_name),
    ours("publish-rounds", "a publish is final in one round of requests", rounds::publish),
    common("wkg-component", "wkg publishes a component and gets it", wkg::component),
    common("wkg-wit", "wkg builds, publishes, gets and fetches WIT packages", wkg::wit),
    pair("wkg-lock", "wkg reads the lock that our warg wrote, and keeps it", wkg::lock),
    pair(
        "wkg-folder",
        "the newest wkg goes on with the lock and the folder that our warg wrote",
        wkg::folder,
    ),
    common("wac-compose", "wac compose with packages of the registry", wac::compose),
    common("wac-plug", "wac plug with packages of the registry", wac::plug),
    pair("wac-bundle", "our warg bundles what wac leaves open, and wac goes on", wac::bundle),
    pair("wac-tower", "wac and our warg compose a tower of languages", wac::tower),
    common(
        "cargo-component",
        "cargo component resolves and locks dependencies",
        cargo_component::resolve,
    ),
    pair("pair-publish", "our warg and the released one publish for each other", pairs::publish),
    pair("pair-grant", "each grants to the other's key, and revokes", pairs::grant_and_revoke),
    pair("pair-home", "configuration and keys of one, read by the other", pairs::home),
    pair("pair-update", "update over several checkpoints, by both", pairs::update),
    pair("pair-history", "a log of 1,100 records, continued and fetched by both", history::pages),
    pair("real-components", "10 kB to 35 MB: publish, get, verify, monitor", components::travel),
    pair("foreign-components", "what others published: looked at, and compared", foreign::travel),
    elsewhere("reference-publish", "pair-publish at warg-server 0.10.0", pairs::publish),
    elsewhere("reference-grant", "pair-grant at warg-server 0.10.0", pairs::grant_and_revoke),
    elsewhere("reference-home", "pair-home at warg-server 0.10.0", pairs::home),
    elsewhere("reference-update", "pair-update at warg-server 0.10.0", pairs::update),
    elsewhere("reference-history", "pair-history at warg-server 0.10.0", history::pages),
    elsewhere("reference-components", "real-components at warg-server 0.10.0", components::travel),
];

/// For the tests: it needs no program that is built elsewhere.
pub(crate) const ALONE: Scenario =
    pair("components", "real-components with our own programs only", components::travel_alone);

/// The names of the scenarios that are recorded.
pub fn recorded() -> impl Iterator<Item = &'static str> {
    SCENARIOS.iter().filter(|scenario| scenario.is_recorded).map(|scenario| scenario.name)
}

impl Scenario {
    /// How its registry is configured.
    pub(crate) fn options(&self) -> Result<ServerOptions> {
        let ids = self.authorized.iter().map(|person| Ok(format!("\"{}\"", person.key_id()?)));
        let ids = ids.collect::<Result<Vec<_>>>()?.join(", ");
        let file = format!("[namespace.test]\nkeys = [{ids}]\n");
        let authorized_keys = (!self.authorized.is_empty()).then_some(file);
        let namespaces = self.namespaces.iter().map(|&name| name.to_owned()).collect();
        Ok(ServerOptions { namespaces, authorized_keys, path: self.path.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_differ() {
        let names: BTreeSet<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), SCENARIOS.len());
    }
}
