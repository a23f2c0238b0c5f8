//! Tests of the credentials that need no machine.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::*;

const KEY: &str = "ecdsa-p256:I+UlDo0HxyBBFeelhPPWmD+LnklOpqZDkrFP5VduASk=";

fn url(text: &str) -> RegistryUrl {
    text.parse().unwrap()
}

fn environment(variables: &[(&str, &str)], home: Option<&str>) -> Environment {
    let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    Environment::new(variables, home.map(url).as_ref())
}

#[test]
fn a_token_without_a_registry_is_for_home_alone() {
    let variables = [("WARG_TOKEN", "general"), ("WARG_TOKEN_A_EXAMPLE__8443", " special\n")];
    let of = |home, registry: &str| {
        let found = environment(&variables, home).token(Asked::itself(&url(registry))).unwrap();
        found.map(|found| (found.secret.expose().to_owned(), found.place))
    };
    let general = Some(("general".to_owned(), "the variable WARG_TOKEN".to_owned()));
    assert_eq!(of(Some("h.example"), "https://h.example/"), general);
    assert_eq!(of(Some("h.example"), "https://evil.example/"), None);
    assert_eq!(of(None, "https://h.example/"), None);
    let special = ("special".to_owned(), "the variable WARG_TOKEN_A_EXAMPLE__8443".to_owned());
    assert_eq!(of(None, "https://a.example:8443"), Some(special.clone()));
    // The one that names the registry counts before the other.
    assert_eq!(of(Some("a.example:8443"), "https://a.example:8443"), Some(special));
    // Names that are alike do not share it.
    for other in ["a-example:8443", "a.example.8443.x", "a.example", "a.example/8443"] {
        assert_eq!(of(None, other), None, "{other}");
    }
}

#[test]
fn a_token_goes_to_the_api_that_its_registry_leads_to_and_to_no_other() {
    let variables = [
        ("WARG_TOKEN", "general"),
        ("WARG_TOKEN_NAMED_EXAMPLE", "of-named"),
        ("WARG_TOKEN_API_EXAMPLE", "of-api"),
    ];
    let of = |home: &str, named: &str, api: &str| {
        let asked = (url(named), url(api));
        let asked = Asked { named: &asked.0, api: &asked.1 };
        let found = environment(&variables, Some(home)).token(asked).unwrap();
        found.map(|found| found.secret.expose().to_owned())
    };
    assert_eq!(of("h.example", "h.example", "elsewhere.example").unwrap(), "general");
    assert_eq!(of("h.example", "named.example", "elsewhere.example").unwrap(), "of-named");
    assert_eq!(of("h.example", "h.example", "api.example").unwrap(), "of-api");
    // Whoever leads to the home registry, or is led to from elsewhere, gets nothing of it.
    assert_eq!(of("h.example", "evil.example", "h.example"), None);
    assert_eq!(of("h.example", "evil.example", "elsewhere.example"), None);
    // In a keyring a token has the name of the API alone (specification 15.8).
    let keyring = InKeyring::new(Memory::default(), Vec::new());
    keyring.keyring().write(&KeyringEntry::token(&url("api.example").domain()), "kept").unwrap();
    let (named, api) = (url("named.example"), url("api.example"));
    assert!(keyring.token(Asked { named: &named, api: &api }).unwrap().is_some());
    assert!(keyring.token(Asked { named: &api, api: &named }).unwrap().is_none());
}

#[test]
fn no_two_registries_share_a_variable() {
    for (registry, variable) in [
        ("registry.acme.com", "WARG_TOKEN_REGISTRY_ACME_COM"),
        ("registry-acme.com", "WARG_TOKEN_REGISTRY__ACME_COM"),
        ("127.0.0.1-8090", "WARG_TOKEN_127_0_0_1__8090"),
        ("acme.com_warg", "WARG_TOKEN_ACME_COM___WARG"),
        ("acme.com_Warg", "WARG_TOKEN_ACME_COM____5F57_ARG"),
        ("ipv6_..1-8090", "WARG_TOKEN_IPV6____5F2E2E_1__8090"),
        ("xn--bcher-kva.example", "WARG_TOKEN_XN____2D2D_BCHER__KVA_EXAMPLE"),
    ] {
        let registry = registry.parse().unwrap();
        assert_eq!(Environment::token_variable(&registry), variable);
        assert_eq!(Environment::registry_of(variable), Some(registry));
    }
    // Every name of up to five of the characters that matter.
    let mut names = vec![String::new()];
    let mut variables = BTreeMap::new();
    for _ in 0..5 {
        names = names
            .iter()
            .flat_map(|name| "a0A2._-".chars().map(move |next| format!("{name}{next}")))
            .collect();
        for name in &names {
            let Ok(registry) = name.parse() else { continue };
            let variable = Environment::token_variable(&registry);
            let legal =
                |byte: u8| byte == b'_' || byte.is_ascii_uppercase() || byte.is_ascii_digit();
            assert!(variable.bytes().all(legal), "{variable}");
            assert_eq!(Environment::registry_of(&variable), Some(registry), "{variable}");
            assert_eq!(variables.insert(variable, name.clone()), None, "{name}");
        }
    }
    for none in [
        "WARG_TOKEN_",
        "WARG_TOKEN__A",
        "WARG_TOKEN_a",
        "WARG_TOKEN_A____2E_B",
        "WARG_TOKEN_A____2D2D",
        "WARG_TOKEN_A____XX_",
        "WARG_TOKEN_A____+2_",
        "WARG_TOKEN_A____é_",
        "WARG_TOKEN_A_____B",
        "TOKEN",
    ] {
        assert_eq!(Environment::registry_of(none), None, "{none}");
    }
}

#[test]
fn the_key_of_the_environment_is_for_all_registries() {
    let found = environment(&[("WARG_SIGNING_KEY", &format!("{KEY}\n"))], None);
    assert!(found.signing_key(None).unwrap().is_some());
    assert!(found.signing_key(Some(&url("r.example"))).unwrap().is_some());
    assert!(environment(&[("WARG_SIGNING_KEY", "")], None).signing_key(None).unwrap().is_none());
    let secret = "ecdsa-p256:notthekey";
    let wrong =
        environment(&[("WARG_SIGNING_KEY", secret), ("WARG_TOKEN", "two words")], Some("h"));
    let error = wrong.signing_key(None).unwrap_err();
    assert!(error.message.contains("WARG_SIGNING_KEY") && !error.message.contains("notthekey"));
    let error = wrong.token(Asked::itself(&url("h"))).unwrap_err();
    assert!(error.message.contains("WARG_TOKEN") && !error.message.contains("two"), "{error}");
    assert!(!format!("{wrong:?}").contains("notthekey"));
}

#[test]
fn keys_have_the_names_of_the_reference_client() {
    let listed = ["default".to_owned(), "HTTP://127.0.0.1:8090".to_owned(), "other".to_owned()];
    assert_eq!(
        key_names(Some(&url("http://127.0.0.1:8090")), &listed),
        [
            "127.0.0.1-8090",
            "HTTP://127.0.0.1:8090",
            "http://127.0.0.1:8090",
            "http://127.0.0.1:8090/",
            "127.0.0.1:8090",
            "127.0.0.1:8090/",
            "default"
        ]
    );
    assert_eq!(key_names(None, &listed), ["default"]);
    // As specification 15.8 has them.
    assert_eq!(
        KeyringEntry::signing_key("default").file_name(),
        "service=warg-signing-key&user=default"
    );
    assert_eq!(
        KeyringEntry::token(&url("http://127.0.0.1:8090").domain()).file_name(),
        "service=warg-auth-token%3A127.0.0.1-8090&user=127.0.0.1-8090"
    );
    assert_eq!(
        KeyringEntry::signing_key("http://127.0.0.1:8090/").file_name(),
        "service=warg-signing-key&user=http%3A%2F%2F127.0.0.1%3A8090%2F"
    );
}

#[derive(Default)]
struct Memory(Mutex<BTreeMap<String, String>>);

impl Keyring for Memory {
    fn read(&self, entry: &KeyringEntry) -> Result<Option<SecretText>, SecretError> {
        let map = self.0.lock().unwrap();
        Ok(map.get(&entry.file_name()).cloned().map(SecretText::new))
    }

    fn write(&self, entry: &KeyringEntry, secret: &str) -> Result<(), SecretError> {
        self.0.lock().unwrap().insert(entry.file_name(), secret.to_owned());
        Ok(())
    }

    fn remove(&self, entry: &KeyringEntry) -> Result<bool, SecretError> {
        Ok(self.0.lock().unwrap().remove(&entry.file_name()).is_some())
    }

    fn place(&self, entry: &KeyringEntry) -> String {
        entry.file_name()
    }
}

#[test]
fn what_is_written_is_what_is_read() {
    let keyring = InKeyring::new(Memory::default(), Vec::new());
    let registry = url("https://r.example/path");
    let registries = [None, Some(&registry)];
    let user = |registry| keyring.key_entry(registry).unwrap().user;
    assert_eq!(registries.map(user), ["default", "r.example_path"]);
    // A key that the reference client has stored under the URL is replaced there.
    keyring.keyring().write(&KeyringEntry::signing_key("default"), KEY).unwrap();
    assert_eq!(user(Some(&registry)), "r.example_path");
    let stored = KeyringEntry::signing_key("https://r.example/path");
    keyring.keyring().write(&stored, "damaged").unwrap();
    assert_eq!(registries.map(user), ["default", "https://r.example/path"]);
    // A damaged key is an error, and not passed over for another one.
    let error = keyring.signing_key(Some(&registry)).unwrap_err();
    assert!(error.message.contains("r.example") && !error.message.contains("damaged"));
    keyring.keyring().write(&stored, KEY).unwrap();
    for registry in registries {
        let written = keyring.key_entry(registry).unwrap();
        assert_eq!(keyring.find_key(registry).unwrap().unwrap().0, written);
    }
}

#[test]
fn the_first_place_counts_and_one_that_cannot_be_read_ends_the_search() {
    let registry = url("r.example");
    let mut credentials = Credentials::default();
    credentials.push(environment(&[], None));
    let memory = Memory::default();
    memory.write(&KeyringEntry::signing_key("default"), KEY).unwrap();
    memory.write(&KeyringEntry::token(&registry.domain()), "of-keyring").unwrap();
    credentials.push(InKeyring::new(memory, Vec::new()));
    credentials.push(InKeyring::new(NoKeyring::new("secret-service", Vec::new()), Vec::new()));
    assert!(credentials.signing_key(&registry).unwrap().is_some());
    assert_eq!(
        credentials.token(Asked::itself(&registry)).unwrap().unwrap().expose(),
        "of-keyring"
    );
    let error = credentials.token(Asked::itself(&url("other.example"))).unwrap_err();
    assert!(error.message.contains("`secret-service`"), "{error}");
    let none = InKeyring::new(NoKeyring::new("none", Vec::new()), Vec::new());
    assert!(none.signing_key(None).unwrap().is_none());
}
