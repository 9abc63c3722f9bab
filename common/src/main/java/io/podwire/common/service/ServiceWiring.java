package io.podwire.common.service;

/** A service's constructors in dependency order: the one method its main and its tests share. */
@FunctionalInterface
public interface ServiceWiring<O extends ServiceOptions> {
    /**
     * Builds the service.
     *
     * @throws Exception when it cannot start; what was built is closed again
     */
    void wire(O options, ServiceContext context) throws Exception;
}
