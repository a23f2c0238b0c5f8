//! Maps in memory, the largest of them kept in a file.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use wargate_crypto::Digest;
use wargate_transparency::map::{
    self, MapHead, MapVersion, MemoryPages, Page, PageId, PageReader, Prefix,
};

/// The version of every map here.
pub const VERSION: MapVersion = MapVersion(1);

/// Slot and leaf hash of a key with a value.
pub fn leaf(key: u64, value: u64) -> (map::Path, Digest) {
    (map::Path::of_key(&key.to_be_bytes()), map::leaf_hash(&value.to_be_bytes()))
}

/// A map with the keys `0..keys`.
///
/// # Errors
/// If the map cannot be built, which would be a fault of the library.
pub fn build(keys: u64) -> Result<MemoryPages> {
    let mut map = MemoryPages::default();
    // One batch hashes every page once.
    map.set(VERSION, (0..keys).map(|key| leaf(key, 0)))?;
    Ok(map)
}

/// A map with the keys `0..keys` from a file, which is written first if it is not there.
///
/// # Errors
/// If the file cannot be read or written.
pub fn cached(keys: u64, file: &Path) -> Result<MemoryPages> {
    if !file.exists() {
        let map = build(keys)?;
        write(&map, file).with_context(|| format!("{} cannot be written", file.display()))?;
        return Ok(map);
    }
    read(file).with_context(|| format!("{} cannot be read; remove it", file.display()))
}

fn write(map: &MemoryPages, file: &Path) -> Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let unfinished = file.with_extension("unfinished");
    let mut out = BufWriter::new(File::create(&unfinished)?);
    for (id, page) in map.iter() {
        for bytes in [id.to_bytes(), page.encode(id)] {
            out.write_all(&u32::try_from(bytes.len())?.to_be_bytes())?;
            out.write_all(&bytes)?;
        }
    }
    out.flush()?;
    Ok(std::fs::rename(unfinished, file)?)
}

fn read(file: &Path) -> Result<MemoryPages> {
    let mut input = BufReader::new(File::open(file)?);
    let mut map = MemoryPages::default();
    while let Some(id) = block(&mut input)? {
        let id = PageId::from_bytes(&id).context("not the id of a page")?;
        let Some(page) = block(&mut input)? else { bail!("the file ends early") };
        map.insert([(id, Arc::new(Page::decode(&id, &page)?))]);
    }
    let root = map.pages(&[PageId::root(VERSION)])?[0].hash_at(&Prefix::ROOT);
    map.set_head(Some(MapHead { version: VERSION, root }));
    Ok(map)
}

fn block(input: &mut impl Read) -> Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    if input.read(&mut length[..1])? == 0 {
        return Ok(None);
    }
    input.read_exact(&mut length[1..])?;
    let mut bytes = vec![0; u32::from_be_bytes(length).try_into()?];
    input.read_exact(&mut bytes)?;
    Ok(Some(bytes))
}
