package io.podwire.e2e.ipam.sim;

import java.time.Duration;

/** One life of a program on a machine; what runs in it ends with it. */
final class Program {
    private final World world;
    private final String name;
    private boolean alive = true;

    Program(World world, String name) {
        this.world = world;
        this.name = name;
    }

    /** Of the machine that it is on, for the network. */
    String name() {
        return name;
    }

    boolean alive() {
        return alive;
    }

    void crash() {
        alive = false;
        world.note(name + " crashes");
    }

    /** Ends the calling thread when the process has crashed meanwhile. */
    void check() {
        if (!alive) {
            throw new World.Died(name);
        }
    }

    void sleep(Duration wait) {
        world.sleep(wait);
        check();
    }
}
