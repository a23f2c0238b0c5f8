//! A command that does what the lines of its standard input say, and says what came of it, so that a
//! test can see what a component sees.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant, UNIX_EPOCH};

mod raw;

fn main() {
    // No more is taken of standard input than the line, so that lines can have it read further.
    let stdin = wasip2::cli::stdin::get_stdin();
    while let Some(line) = raw::line(&stdin) {
        let mut words = line.split(' ');
        let verb = words.next().unwrap_or_default();
        let words: Vec<&str> = words.collect();
        if let Some(text) = raw::obey(&stdin, verb, &words) {
            println!("{text}");
            continue;
        }
        match obey(verb, &words) {
            Ok(text) => println!("{text}"),
            Err(error) => println!("error: {:?}", error.kind()),
        }
    }
    eprintln!("done");
}

fn obey(verb: &str, words: &[&str]) -> io::Result<String> {
    let path = words.first().copied().unwrap_or_default();
    Ok(match verb {
        "environment" => {
            let variables = std::env::vars().map(|(name, value)| format!("{name}={value}"));
            variables.collect::<Vec<_>>().join(" ")
        }
        "arguments" => std::env::args().collect::<Vec<_>>().join(" "),
        "list" => {
            let mut entries = Vec::new();
            for entry in fs::read_dir(path)? {
                let entry = entry?;
                let end = if entry.file_type()?.is_dir() { "/" } else { "" };
                entries.push(format!("{}{end}", entry.file_name().to_string_lossy()));
            }
            entries.join(" ")
        }
        "read" => fs::read_to_string(path)?,
        "sum" => {
            // Piece by piece, as a program reads a large file.
            let mut file = File::open(path)?;
            let mut buffer = vec![0; 10_000];
            let (mut count, mut sum) = (0_u64, 0_u64);
            loop {
                let read = file.read(&mut buffer)?;
                if read == 0 {
                    break format!("{count} {sum}");
                }
                count += read as u64;
                sum += buffer[..read].iter().map(|byte| u64::from(*byte)).sum::<u64>();
            }
        }
        "seek" => {
            let mut file = File::open(path)?;
            let place: i64 = words[1].parse().expect("a number");
            let from = if place < 0 { SeekFrom::End(place) } else { SeekFrom::Start(place as u64) };
            let place = file.seek(from)?;
            let mut piece = Vec::new();
            file.take(5).read_to_end(&mut piece)?;
            format!("{place} {}", String::from_utf8_lossy(&piece))
        }
        "stat" => {
            let stat = fs::metadata(path)?;
            let time = stat.modified()?.duration_since(UNIX_EPOCH).expect("a time");
            let kind = if stat.is_dir() { "folder" } else { "file" };
            format!("{kind} {} {}", stat.len(), time.as_nanos())
        }
        "write" => fs::write(path, "changed").map(|()| "written".to_owned())?,
        "append" => {
            let mut file = OpenOptions::new().append(true).open(path)?;
            file.write_all(b"more").map(|()| "written".to_owned())?
        }
        "create" => File::create_new(path).map(|_| "created".to_owned())?,
        "remove" => fs::remove_file(path).map(|()| "removed".to_owned())?,
        "rename" => fs::rename(path, words[1]).map(|()| "renamed".to_owned())?,
        "make-folder" => fs::create_dir(path).map(|()| "made".to_owned())?,
        "remove-folder" => fs::remove_dir(path).map(|()| "removed".to_owned())?,
        "link" => fs::read_link(path).map(|to| to.display().to_string())?,
        "sleep" => {
            let before = Instant::now();
            std::thread::sleep(Duration::from_millis(1));
            format!("{}", before.elapsed() >= Duration::from_millis(1))
        }
        "talk" => {
            // With itself, over a socket that it accepts and one that it connects.
            let listener = TcpListener::bind(path)?;
            let mut one = TcpStream::connect(listener.local_addr()?)?;
            let (mut other, _) = listener.accept()?;
            one.write_all(b"ping")?;
            let mut heard = [0; 4];
            other.read_exact(&mut heard)?;
            other.write_all(b"pong")?;
            drop(other);
            let mut answer = String::new();
            one.read_to_string(&mut answer)?;
            format!("{} {answer}", String::from_utf8_lossy(&heard))
        }
        _ => "what?".to_owned(),
    })
}
