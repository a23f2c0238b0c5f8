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
    let variables = [("WARG_TOKEN", "general"), ("WARG_TOKEN_A_EXAMPLE_8443", " special\n")];
    let of = |home, registry: &str| {
        let found = environment(&variables, home).token(&url(registry)).unwrap();
        found.map(|found| (found.secret.expose().to_owned(), found.place))
    };
    let general = Some(("general".to_owned(), "the variable WARG_TOKEN".to_owned()));
    assert_eq!(of(Some("h.example"), "https://h.example/"), general);
    assert_eq!(of(Some("h.example"), "https://evil.example/"), None);
    assert_eq!(of(None, "https://h.example/"), None);
    let special = ("special".to_owned(), "the variable WARG_TOKEN_A_EXAMPLE_8443".to_owned());
    assert_eq!(of(None, "https://a.example:8443"), Some(special.clone()));
    // The one that names the registry counts before the other.
    assert_eq!(of(Some("a.example:8443"), "https://a.example:8443"), Some(special));
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
    let error = wrong.token(&url("h")).unwrap_err();
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
    credentials.push(InKeyring::new(NoKeyring::new("secret-service"), Vec::new()));
    assert!(credentials.signing_key(&registry).unwrap().is_some());
    assert_eq!(credentials.token(&registry).unwrap().unwrap().expose(), "of-keyring");
    let error = credentials.token(&url("other.example")).unwrap_err();
    assert!(error.message.contains("`secret-service`"), "{error}");
    let none = InKeyring::new(NoKeyring::new("none"), Vec::new());
    assert!(none.signing_key(None).unwrap().is_none());
}
