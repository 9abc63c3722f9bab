package io.podwire.cli.lab;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** The lab's Kubernetes objects: ordinary manifests in a folder that policy-service watches. */
public final class ManifestFolder {
    private final Path folder;

    ManifestFolder(Path folder) throws IOException {
        this.folder = Files.createDirectories(folder);
    }

    /** Where the manifests are. */
    public Path path() {
        return folder;
    }

    /** Writes or replaces one object by temporary file and rename: no reader sees half of it. */
    public void write(String name, String yaml) throws IOException {
        Path temporary = Files.writeString(folder.resolve("." + name + ".tmp"), yaml);
        Files.move(temporary, folder.resolve(name + ".yaml"), StandardCopyOption.ATOMIC_MOVE);
    }

    /** Removes one object; removing what is gone is success. */
    public void remove(String name) throws IOException {
        Files.deleteIfExists(folder.resolve(name + ".yaml"));
    }
}
