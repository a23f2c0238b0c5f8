//! Records in protobuf that nobody's encoder writes: fields in any order, doubled, unknown, of the
//! wrong type, with texts and numbers that are not allowed (specification 3.6, 3.7).

use wargate_oracle::random::Random;

/// A record of either kind. Many can be decoded, many cannot.
pub(crate) fn record(random: &Random, keys: &[String]) -> Vec<u8> {
    let mut fields = Vec::new();
    if random.one_in(2) {
        fields.push(text(1, &digest_text(random)));
    }
    if random.one_in(3) {
        fields.push(varint_field(2, *random.pick(&[0, 0, 1, 7, u64::MAX])));
    }
    for _ in 0..*random.pick(&[1, 1, 1, 1, 1, 1, 0, 2]) {
        fields.push(message(3, &time(random)));
    }
    for _ in 0..random.below(4) {
        fields.push(message(4, &entry(random, keys)));
    }
    if random.one_in(8) {
        fields.push(unknown(random));
    }
    joined(random, fields)
}

fn time(random: &Random) -> Vec<u8> {
    let seconds = match random.below(8) {
        0 => 0,
        1 => i64::MAX,
        2 => i64::MIN,
        3 => i64::MIN + 1,
        4 => -1,
        5 => random.bits().cast_signed(),
        _ => 1_700_000_000,
    };
    let nanos = match random.below(8) {
        0 => i64::from(i32::MIN),
        1 => i64::from(i32::MAX),
        2 => 999_999_999,
        3 => 1_000_000_000,
        4 => -1,
        _ => 5,
    };
    let mut fields = Vec::new();
    if !random.one_in(8) {
        fields.push(varint_field(1, seconds.cast_unsigned()));
    }
    if random.one_in(2) {
        fields.push(varint_field(2, nanos.cast_unsigned()));
    }
    if random.one_in(12) {
        fields.push(unknown(random));
    }
    joined(random, fields)
}

/// An entry of either kind: most numbers mean something in both, but not the same.
fn entry(random: &Random, keys: &[String]) -> Vec<u8> {
    let mut members = Vec::new();
    for _ in 0..*random.pick(&[1, 1, 1, 1, 1, 1, 1, 0, 2]) {
        let number = random.between(1, 5) as u64;
        let mut fields = Vec::new();
        match number {
            1 => {
                // The two kinds have these two the other way round.
                let (first, second) = if random.one_in(2) { (1, 2) } else { (2, 1) };
                fields.push(text(first, &key(random, keys)));
                fields.push(text(second, random.pick::<&str>(&["sha256", "sha256", "sha512", ""])));
            }
            2 | 3 => {
                let id = random.text("sha256:0f", 9);
                fields.push(text(1, &if number == 2 { key(random, keys) } else { id }));
                fields.push(permissions(random));
            }
            4 => {
                fields.push(text(1, &version(random)));
                fields.push(text(2, &digest_text(random)));
            }
            _ => {
                fields.push(text(1, &version(random)));
                if random.one_in(2) {
                    fields.push(text(2, "registry.example.com"));
                }
            }
        }
        if random.one_in(12) {
            fields.pop();
        }
        if random.one_in(12) {
            fields.push(unknown(random));
        }
        members.push(message(number, &joined(random, fields)));
    }
    joined(random, members)
}

fn permissions(random: &Random) -> Vec<u8> {
    let numbers = [1, 1, 1, 2, 2, 2, 3, 0, 4, u64::MAX, 1 << 32 | 1];
    let end = if random.one_in(3) { numbers.len() } else { 6 };
    let list: Vec<_> = (0..random.below(4)).map(|_| numbers[random.below(end)]).collect();
    if random.one_in(2) {
        message(2, &list.iter().flat_map(|number| varint(*number)).collect::<Vec<_>>())
    } else {
        list.iter().flat_map(|number| varint_field(2, *number)).collect()
    }
}

fn key(random: &Random, keys: &[String]) -> String {
    let key = random.pick(keys).clone();
    if random.one_in(8) { random.corrupt_text(&key) } else { key }
}

fn version(random: &Random) -> String {
    match random.below(6) {
        0 => random.text("01.-+a", 6),
        1 => "18446744073709551616.0.0".to_owned(),
        _ => format!("{}.0.{}", random.below(3), random.below(3)),
    }
}

fn digest_text(random: &Random) -> String {
    let bytes = *random.pick(&[0, 1, 31, 32, 32, 32, 32, 33, 64]);
    let digits = random.text("0123456789abcdef", 2 * bytes);
    let text = format!("sha256:{digits}");
    if random.one_in(6) { random.corrupt_text(&text) } else { text }
}

/// The fields, rarely in another order, one left out, or one twice.
fn joined(random: &Random, mut fields: Vec<Vec<u8>>) -> Vec<u8> {
    if !fields.is_empty() && random.one_in(6) {
        let (one, other) = (random.below(fields.len()), random.below(fields.len()));
        match random.below(3) {
            0 => fields.swap(one, other),
            1 => drop(fields.remove(one)),
            _ => fields.push(fields[one].clone()),
        }
    }
    fields.concat()
}

/// A field that no message has, or one that has another type there.
fn unknown(random: &Random) -> Vec<u8> {
    let number = *random.pick(&[1, 2, 3, 4, 9, 1000, (1 << 29) - 1, 0]);
    let tag = |wire_type: u64| varint(number << 3 | wire_type);
    match random.below(7) {
        0 => [tag(0), varint(random.bits())].concat(),
        1 => [tag(1), random.bytes(8)].concat(),
        2 => [tag(2), vec![3], random.bytes(3)].concat(),
        3 => [tag(3), varint_field(7, 7), tag(4)].concat(),
        4 => [tag(5), random.bytes(4)].concat(),
        5 => [tag(0), vec![0xff; 9], vec![1]].concat(),
        _ => tag(*random.pick(&[3, 4, 6, 7])),
    }
}

fn text(number: u64, text: &str) -> Vec<u8> {
    message(number, text.as_bytes())
}

fn message(number: u64, body: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(body.len() as u64), body.to_vec()].concat()
}

fn varint_field(number: u64, value: u64) -> Vec<u8> {
    [varint(number << 3), varint(value)].concat()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let group = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        if number == 0 {
            bytes.push(group);
            return bytes;
        }
        bytes.push(group | 0x80);
    }
}
