//! Trees, and the state of logs.

use std::collections::BTreeSet;
use std::sync::Arc;

use wargate_crypto::KeyId;
use wargate_protocol::MapLeaf;
use wargate_registry::store::{Append, Batch, LogQuery, LogRows, Store};
use wargate_transparency::log::{LogLength, StoredTile, Tile, TileId, TileRef, TileWidth};
use wargate_transparency::map::{MapVersion, Page, PageId, PageReader, prove};

use super::Fixture;
use super::answers::{ALL, damaged, kept_pages};
use super::history::{History, held, item, log_id};

/// One tile in many widths, in an order in which no registry writes them.
pub fn tiles_grow_wider_and_never_narrower(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    // Two levels: 600 leaves fill two tiles of the lower one.
    history.extend(store, (0..600).map(|serial| (serial % 5, serial)));
    let other = TileId::new(0, 77).unwrap();
    let width = |width: usize| Tile::new(vec![super::history::digest(1); width]).unwrap();
    let mut widest = 0;
    for (serial, columns) in (600..).zip([3, 1, 9, 8, 9, 255, 256, 2]) {
        let mut batch = history.batch_of([(0, serial)]);
        let tile = Arc::new(width(columns));
        let at = TileRef { id: other, width: tile.width() };
        batch.append.as_mut().unwrap().tiles.push(StoredTile { at, tile });
        history.commit(store, &batch);
        widest = widest.max(columns);
        for columns in 1..=256 {
            let at = TileRef { id: other, width: TileWidth::new(columns).unwrap() };
            let found = damaged(store.tiles(&[at])).map(|tiles| tiles[0].hashes().len());
            assert_eq!(found, (usize::from(columns) <= widest).then_some(widest));
        }
    }
    // All of them, in the order asked, at every length that was committed.
    for committed in &history.committed {
        let length = LogLength::new(committed.length().get()).unwrap();
        let ids = [(0, 2), (1, 0), (0, 0), (0, 1), (0, 0)];
        let wanted =
            ids.map(|(level, index)| TileId::new(level, index).unwrap().at_length(length).unwrap());
        let found = store.tiles(&wanted).unwrap();
        assert_eq!(found.len(), wanted.len());
        for (at, tile) in wanted.iter().zip(&found) {
            assert!(tile.width() >= at.width, "{at}");
        }
        assert_eq!(found[2], found[4]);
        let leaf = history.samples[256].leaf.hash().digest();
        assert_eq!(found[3].hashes()[0], leaf);
    }
}

/// Of a level, an index or a width that was never written.
pub fn missing_tiles_are_damage(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    history.extend(store, (0..300).map(|serial| (0, serial)));
    let at = |level, index, width| TileRef {
        id: TileId::new(level, index).unwrap(),
        width: TileWidth::new(width).unwrap(),
    };
    let far = (1 << 55) - 1;
    let rows = [
        (at(0, 0, 256), true),
        (at(0, 1, 44), true),
        (at(0, 1, 45), false),
        (at(1, 0, 1), true),
        (at(1, 0, 2), false),
        (at(0, 2, 1), false),
        (at(2, 0, 1), false),
        (at(7, 0, 1), false),
        (at(0, far, 1), false),
    ];
    for (wanted, is_there) in rows {
        assert_eq!(damaged(store.tiles(&[wanted])).is_some(), is_there, "{wanted}");
        let after_one = damaged(store.tiles(&[at(0, 0, 1), wanted]));
        assert_eq!(after_one.is_some(), is_there, "{wanted}");
    }
}

/// One missing page makes the answer an error, wherever it stands.
pub fn missing_pages_are_damage(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    history.extend(store, (0..40).map(|serial| (serial, serial)));
    let there: Vec<_> = history.pages.iter().copied().collect();
    assert_eq!(store.pages(&there).unwrap().len(), there.len());
    let backwards: Vec<_> = there.iter().rev().copied().collect();
    for (id, page) in backwards.iter().zip(store.pages(&backwards).unwrap()) {
        let alone = store.pages(&[*id]).unwrap();
        assert_eq!(page.encode(id), alone[0].encode(id));
    }
    let missing = PageId::root(MapVersion(3));
    for wanted in [vec![missing], vec![there[0], missing], vec![missing, there[0]]] {
        assert!(damaged(store.pages(&wanted)).is_none());
    }
}

/// Pages that the versions in use need are there, and after enough calls no others.
pub fn pruning_drops_what_no_version_uses(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    let mut superseded = Vec::new();
    for round in 0..8 {
        let batch = history.batch_of((0..12).map(|log| (log * round, 12 * round + log)));
        if let Some(Append { superseded: pages, committed, .. }) = &batch.append {
            superseded.extend(pages.iter().map(|page| (committed.length().get(), *page)));
        }
        history.commit(store, &batch);
    }
    assert_eq!(store.prune(MapVersion(11), ALL).unwrap(), 0, "nothing is that old");
    assert_eq!(store.prune(MapVersion(u64::MAX), 0).unwrap(), 0);
    let revision = store.head().unwrap();
    for oldest in [12, 35, 36, 37, 59, 60, 96] {
        let dropped: BTreeSet<_> =
            superseded.iter().filter(|(by, _)| *by <= oldest).map(|(_, page)| *page).collect();
        let wanted: Vec<_> =
            history.pages.iter().filter(|page| !dropped.contains(page)).copied().collect();
        let mut left = kept_pages(store, &history).len() - wanted.len();
        loop {
            let count = store.prune(MapVersion(oldest), 5).unwrap();
            assert_eq!(count, left.min(5));
            left -= count;
            if count == 0 {
                break;
            }
        }
        assert_eq!(kept_pages(store, &history), wanted, "from {oldest} on");
        maps_are_whole(store, &history, oldest);
    }
    assert_eq!(store.prune(MapVersion(u64::MAX), ALL).unwrap(), 0);
    assert_eq!(store.head().unwrap(), revision, "pruning is not part of history");
    let batch = history.batch_of([(1, 500)]);
    history.commit(store, &batch);
}

/// Proves every log in every version from `oldest` on.
fn maps_are_whole(store: &dyn Store, history: &History, oldest: u64) {
    for committed in history.committed.iter().filter(|it| it.length().get() >= oldest) {
        let length = usize::try_from(committed.length().get()).unwrap();
        let leaves = history.samples[..length].iter().map(|sample| sample.leaf);
        let heads: std::collections::BTreeMap<_, _> =
            leaves.map(|leaf| (leaf.log_id, leaf.record_id)).collect();
        for (log, record_id) in heads {
            let found = prove(&Pages(store), Some(committed.map_head()), &[log.map_path()]);
            let found = found.unwrap().pop().flatten().unwrap();
            assert_eq!(found.leaf, MapLeaf { record_id }.hash());
        }
    }
}

/// The store as the map reads it.
struct Pages<'a>(&'a dyn Store);

impl PageReader for Pages<'_> {
    type Error = wargate_registry::store::StoreError;

    fn pages(&self, wanted: &[PageId]) -> Result<Vec<Arc<Page>>, Self::Error> {
        self.0.pages(wanted)
    }
}

/// What is asked for and is there, ascending; the rest is left out.
pub fn parts_of_logs_are_read_by_name(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    history.extend(store, [(1, 0), (1, 1), (2, 2), (0, 3)]);
    let id = |serial| history.key(serial).id();
    let query = |log, keys: &[u64], permissions: &[u64], items: &[u64]| LogQuery {
        log: log_id(log),
        keys: keys.iter().map(|serial| id(*serial)).chain([KeyId::from("who?")]).collect(),
        permissions: permissions.iter().map(|serial| id(*serial)).collect(),
        items: items.iter().map(|serial| item(*serial)).collect(),
    };
    let wanted = [
        query(2, &[2], &[2, 1], &[2, 0]),
        query(1, &[1, 0, 1], &[1, 0], &[1, 9, 0, 1]),
        query(1, &[], &[], &[]),
        query(7, &[0], &[0], &[0]),
        query(0, &[3, 2], &[], &[3]),
    ];
    let found = store.log_rows(&wanted).unwrap();
    assert_eq!(found.len(), wanted.len());
    let counts = found.iter().map(|it| (it.keys.len(), it.permissions.len(), it.items.len()));
    assert!(counts.eq([(1, 1, 1), (2, 2, 2), (0, 0, 0), (0, 0, 0), (1, 0, 1)]));
    assert_eq!(found[3], LogRows::default());
    let names: Vec<_> = found.iter().map(|it| it.name.clone()).collect();
    assert_eq!(names[0], history.sample(2, 0).name);
    assert_eq!((&names[1], &names[4]), (&history.sample(1, 0).name, &None));
    assert!(found[2].head.is_some() && found[4].head.is_some());
    assert_eq!(found[1].items, [(item(0), "{\"by\":0}".into()), (item(1), "{\"by\":1}".into())]);
    let mut held_by = vec![(id(0), held(0)), (id(1), held(1))];
    held_by.sort();
    assert_eq!(found[1].permissions, held_by);
    assert!(found[1].keys.is_sorted_by_key(wargate_crypto::PublicKey::id));
    assert_eq!(found[1], LogRows { ..store.all_log_rows(&log_id(1)).unwrap() });
}

/// New values replace old ones of the same name; what a change does not name stays.
pub fn changes_of_a_log_take_the_place_of_what_was(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    // Numbers 0, 4 and 8 have the same key, which holds something else after each.
    for serial in [0, 1, 4, 8] {
        history.extend(store, [(1, serial)]);
        let rows = store.all_log_rows(&log_id(1)).unwrap();
        let key = history.key(serial).id();
        let holds = rows.permissions.iter().find(|(id, _)| *id == key).map(|(_, held)| held);
        assert_eq!(holds, Some(&held(serial)));
        let head = rows.head.unwrap();
        assert_eq!(head.record_id, history.samples.last().unwrap().leaf.record_id);
        let seconds = i64::try_from(serial).unwrap() - 5;
        assert_eq!((head.timestamp.seconds(), head.timestamp.nanos()), (seconds, 999_999_999));
    }
    let rows = store.all_log_rows(&log_id(1)).unwrap();
    assert_eq!((rows.keys.len(), rows.permissions.len(), rows.items.len()), (2, 2, 4));
    let mut batch: Batch = history.batch_of([(1, 9)]);
    let change = &mut batch.append.as_mut().unwrap().logs[0].rows;
    change.items = vec![(item(0), "{}".into())];
    history.commit(store, &batch);
    let rows = store.all_log_rows(&log_id(1)).unwrap();
    assert_eq!(rows.items[0], (item(0), "{}".into()));
    assert_eq!(rows.items.len(), 4);
}

/// Ascending by id, above one, with names.
pub fn logs_are_listed_by_id(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    history.extend(store, (0..20).map(|log| (log, log)));
    let all = store.logs(None, ALL).unwrap();
    assert_eq!(all.len(), 20);
    assert!(all.is_sorted_by_key(|row| row.log));
    for row in &all {
        let sample = history.samples.iter().find(|it| it.leaf.log_id == row.log).unwrap();
        assert_eq!((&row.name, &row.head.record_id), (&sample.name, &sample.leaf.record_id));
    }
    let mut walked = Vec::new();
    while let [first, rest @ ..] = &*store.logs(walked.last(), 3).unwrap() {
        walked.push(first.log);
        walked.extend(rest.iter().map(|row| row.log));
    }
    assert_eq!(walked, all.iter().map(|row| row.log).collect::<Vec<_>>());
    assert_eq!(store.logs(None, 0).unwrap(), []);
}
