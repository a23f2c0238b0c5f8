//! What the host offers. Handles are numbers; `to` is where a result is written.
//!
//! Which of these there are depends on what the component around imports. The others trap, and nothing
//! that is lifted calls them.

#[link(wasm_import_module = "host")]
unsafe extern "C" {
    #[link_name = "get-stdin"]
    pub(crate) safe fn stdin() -> u32;

    #[link_name = "input-read"]
    pub(crate) safe fn read(input: u32, len: u64, to: u32);
    #[link_name = "input-blocking-read"]
    pub(crate) safe fn blocking_read(input: u32, len: u64, to: u32);
    #[link_name = "input-skip"]
    pub(crate) safe fn skip(input: u32, len: u64, to: u32);
    #[link_name = "input-blocking-skip"]
    pub(crate) safe fn blocking_skip(input: u32, len: u64, to: u32);
    #[link_name = "input-subscribe"]
    pub(crate) safe fn subscribe(input: u32) -> u32;
    #[link_name = "input-drop"]
    pub(crate) safe fn drop_input(input: u32);

    #[link_name = "output-splice"]
    pub(crate) safe fn splice(output: u32, input: u32, len: u64, to: u32);
    #[link_name = "output-blocking-splice"]
    pub(crate) safe fn blocking_splice(output: u32, input: u32, len: u64, to: u32);
    #[link_name = "output-check-write"]
    pub(crate) safe fn check_write(output: u32, to: u32);
    #[link_name = "output-write"]
    pub(crate) safe fn write(output: u32, bytes: u32, len: u32, to: u32);
    #[link_name = "output-subscribe"]
    pub(crate) safe fn subscribe_output(output: u32) -> u32;
    #[link_name = "output-drop"]
    pub(crate) safe fn drop_output(output: u32);

    #[link_name = "pollable-block"]
    pub(crate) safe fn block(pollable: u32);
    #[link_name = "pollable-drop"]
    pub(crate) safe fn drop_pollable(pollable: u32);
    #[link_name = "subscribe-duration"]
    pub(crate) safe fn subscribe_duration(nanoseconds: u64) -> u32;
    #[link_name = "error-drop"]
    pub(crate) safe fn drop_error(error: u32);

    #[link_name = "tcp-finish-connect"]
    pub(crate) safe fn finish_connect(socket: u32, to: u32);
    #[link_name = "tcp-accept"]
    pub(crate) safe fn accept(socket: u32, to: u32);
    #[link_name = "tcp-drop"]
    pub(crate) safe fn drop_socket(socket: u32);

    #[link_name = "body-stream"]
    pub(crate) safe fn body_stream(body: u32, to: u32);
    #[link_name = "body-drop"]
    pub(crate) safe fn drop_body(body: u32);

    // These make handles of the resources that are ours.
    #[link_name = "new-input"]
    pub(crate) safe fn new_input(stream: u32) -> u32;
    #[link_name = "new-descriptor"]
    pub(crate) safe fn new_descriptor(node: u32) -> u32;
    #[link_name = "new-entries"]
    pub(crate) safe fn new_entries(cell: u32) -> u32;
}
