/*
 * What a power loss would leave, of the files below a folder.
 *
 * Preloaded into a program, this takes the place of fsync and fdatasync for files and folders below
 * UNSYNCED_ROOT. Instead of asking the disk, it writes down in UNSYNCED_MEDIUM what has reached the
 * medium with that call:
 *
 *   files/INODE   the bytes of a file, as of its last fsync
 *   folders/INODE the names in a folder, as of its last fsync: lines of inode, type and name
 *   kept/INODE    a link to the file, so that no inode is used a second time
 *
 * Whatever is not there was never flushed. Nothing else has to be intercepted: the folder itself has
 * what the program has written, and the difference of the two is what a power loss may take.
 *
 * A file is copied in place, so a kill in the middle leaves what a disk would have in the middle.
 * Descriptors are not opened a second time where that can be avoided: closing one gives up the locks
 * that the program holds on the file.
 *
 * UNSYNCED_KILL_AT is the number of the call, counted from 1, at which the program is killed instead.
 * UNSYNCED_LIES names calls that pretend: a part of a path, or `folders` for all folders.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static void fail(const char *what) {
    fprintf(stderr, "unsynced: %s: %s\n", what, strerror(errno));
    abort();
}

/* The path of a descriptor, if it lies below the root. */
static int find(int fd, char path[PATH_MAX]) {
    const char *root = getenv("UNSYNCED_ROOT");
    if (!root || !getenv("UNSYNCED_MEDIUM")) return 0;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    size_t prefix = strlen(root);
    return strncmp(path, root, prefix) == 0 && (path[prefix] == '/' || path[prefix] == 0);
}

static void place(char path[PATH_MAX], const char *kind, ino_t inode, const char *suffix) {
    snprintf(path, PATH_MAX, "%s/%s/%llu%s", getenv("UNSYNCED_MEDIUM"), kind,
             (unsigned long long)inode, suffix);
}

static void keep(int at, const char *name, int flags, ino_t inode) {
    char kept[PATH_MAX];
    place(kept, "kept", inode, "");
    /* A file whose last name is gone keeps its inode as long as it is open, and is lost anyway. */
    if (linkat(at, name, AT_FDCWD, kept, flags) && errno != EEXIST && errno != ENOENT) fail(kept);
}

static void flush_file(int fd, ino_t inode) {
    static char buffer[1 << 16];
    char path[PATH_MAX], self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    keep(AT_FDCWD, self, AT_SYMLINK_FOLLOW, inode);
    place(path, "files", inode, "");
    int from = fd;
    if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY) from = open(self, O_RDONLY | O_CLOEXEC);
    int to = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (from < 0 || to < 0) fail(path);
    off_t position = 0;
    for (;;) {
        ssize_t length = pread(from, buffer, sizeof buffer, position);
        if (length < 0) fail("read");
        if (length == 0) break;
        if (pwrite(to, buffer, length, position) != length) fail("write");
        position += length;
    }
    if (ftruncate(to, position)) fail("truncate");
    close(to);
    if (from != fd) close(from);
}

static void flush_folder(int fd, ino_t inode) {
    char path[PATH_MAX], next[PATH_MAX];
    place(path, "folders", inode, "");
    place(next, "folders", inode, ".next");
    int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = again < 0 ? NULL : fdopendir(again);
    FILE *list = fopen(next, "we");
    if (!folder || !list) fail(next);
    for (struct dirent *entry; (entry = readdir(folder));) {
        struct stat found;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (fstatat(fd, entry->d_name, &found, AT_SYMLINK_NOFOLLOW)) continue;
        if (S_ISREG(found.st_mode)) keep(fd, entry->d_name, 0, found.st_ino);
        else if (!S_ISDIR(found.st_mode)) continue;
        fprintf(list, "%llu %c %s\n", (unsigned long long)found.st_ino,
                S_ISDIR(found.st_mode) ? 'd' : 'f', entry->d_name);
    }
    closedir(folder);
    if (fclose(list) || rename(next, path)) fail(path);
}

static int flush(int fd, long number) {
    char path[PATH_MAX];
    struct stat found;
    int error = errno;
    if (!find(fd, path)) return (int)syscall(number, fd);
    if (fstat(fd, &found)) return -1;
    const char *lies = getenv("UNSYNCED_LIES");
    int is_folder = S_ISDIR(found.st_mode);
    if (lies && (strstr(path, lies) || (is_folder && !strcmp(lies, "folders")))) return 0;
    pthread_mutex_lock(&turn);
    static long calls;
    const char *last = getenv("UNSYNCED_KILL_AT");
    if (last && ++calls == atol(last)) raise(SIGKILL);
    if (is_folder) flush_folder(fd, found.st_ino);
    else if (S_ISREG(found.st_mode)) flush_file(fd, found.st_ino);
    pthread_mutex_unlock(&turn);
    errno = error;
    return 0;
}

int fsync(int fd) { return flush(fd, SYS_fsync); }

int fdatasync(int fd) { return flush(fd, SYS_fdatasync); }

/* Promises nothing: the disk's own cache is not flushed. */
int sync_file_range(int fd, off64_t offset, off64_t length, unsigned int flags) {
    (void)fd, (void)offset, (void)length, (void)flags;
    return 0;
}
