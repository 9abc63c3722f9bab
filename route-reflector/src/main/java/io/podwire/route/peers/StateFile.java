package io.podwire.route.peers;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.NodeName;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;

/** Where what callers declare outlives us: YAML that a person can read, replaced as a whole and by one rename. */
public final class StateFile {
    private static final YAMLMapper YAML = YAMLMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .defaultPropertyInclusion(
                    JsonInclude.Value.construct(JsonInclude.Include.NON_NULL, JsonInclude.Include.NON_NULL))
            .build();

    private final Path path;

    /** At this path, in a folder that is there. */
    public StateFile(Path path) {
        this.path = path;
    }

    /**
     * What is kept.
     *
     * @param peers as the peers' file has them
     * @param leavingNodes names of nodes, sorted
     */
    public record State(List<PeersFile.Peer> peers, List<String> leavingNodes) {
        /** Nothing. */
        public static final State NONE = new State(List.of(), List.of());

        /** Copies, and checks the nodes' names. */
        public State {
            peers = peers == null ? List.of() : List.copyOf(peers);
            leavingNodes = leavingNodes == null ? List.of() : List.copyOf(leavingNodes);
            leavingNodes.forEach(NodeName::new);
        }
    }

    /**
     * What was written last; nothing where there is no file.
     *
     * @throws IllegalArgumentException when it is there and cannot be understood
     */
    State read() {
        if (!Files.exists(path)) {
            return State.NONE;
        }
        try {
            return YAML.readValue(Files.readAllBytes(path), State.class);
        } catch (IOException | IllegalArgumentException e) {
            throw new IllegalArgumentException("--bgp-state-file " + path + " cannot be read: " + e.getMessage(), e);
        }
    }

    /**
     * Replaces it; it is on the disk then.
     *
     * @throws ServiceException UNAVAILABLE when that fails, of a full disk, say; the old one is still there
     */
    void write(State state) {
        Path next = path.resolveSibling(path.getFileName() + ".new");
        try {
            byte[] content = YAML.writeValueAsBytes(state);
            try (FileChannel channel = FileChannel.open(
                    next, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
                ByteBuffer left = ByteBuffer.wrap(content);
                while (left.hasRemaining()) {
                    var _ = channel.write(left);
                }
                channel.force(true);
            }
            var _ = Files.move(next, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            // The rename itself is on the disk when the folder is.
            try (FileChannel folder = FileChannel.open(path.toAbsolutePath().getParent())) {
                folder.force(true);
            }
        } catch (IOException e) {
            throw new ServiceException(
                    ErrorReason.UNAVAILABLE,
                    "--bgp-state-file " + path + " cannot be written, and nothing has changed: " + e
                            + "; make room there, and try again",
                    e);
        }
    }
}
