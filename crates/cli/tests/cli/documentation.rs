//! Pages that are made of the program. `WARGATE_WRITE=1` writes them anew.

use std::path::Path;

#[test]
fn documentation_of_the_configuration_is_fresh() {
    let page = wargate_client::config::markdown();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    if std::env::var_os("WARGATE_WRITE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/configuration.md is not what the table says; WARGATE_WRITE=1 writes it"
    );
}
