package io.podwire.ipam.store;

import io.grpc.netty.GrpcSslContexts;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.net.URI;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Locale;
import javax.net.ssl.SSLException;

/**
 * How etcd is reached.
 *
 * @param endpoints http://HOST:PORT of the members, or https:// of all of them; at least one
 * @param transport TLS where the endpoints are https
 * @param login who the service is to etcd, beside what a client certificate says
 */
public record EtcdAccess(List<URI> endpoints, Transport transport, Login login) {
    /** Checks that the endpoints and the transport are of one kind. */
    public EtcdAccess {
        endpoints = List.copyOf(endpoints);
        if (endpoints.isEmpty()) {
            throw new IllegalArgumentException("etcd has one endpoint at least");
        }
        String scheme = switch (transport) {
            case Transport.Plain _ -> "http";
            case Transport.Tls _ -> "https";
        };
        for (URI endpoint : endpoints) {
            if (!scheme.equals(endpoint.getScheme())) {
                throw new IllegalArgumentException("etcd's endpoint " + endpoint + " is not " + scheme + "://");
            }
        }
    }

    /** Without TLS and without a user. */
    public static EtcdAccess plain(List<URI> endpoints) {
        return new EtcdAccess(endpoints, new Transport.Plain(), new Login.None());
    }

    /** What calls go over. */
    public sealed interface Transport {
        /** Bare TCP. */
        record Plain() implements Transport {}

        /**
         * TLS. The members' certificates must name the hosts of the endpoints.
         *
         * @param authorities who signed the members' certificates; none: who the JDK trusts
         * @param identity what the service shows
         */
        record Tls(List<X509Certificate> authorities, Identity identity) implements Transport {
            /** Copies. */
            public Tls {
                authorities = List.copyOf(authorities);
            }

            /**
             * The context of a client.
             *
             * @throws IllegalArgumentException when these cannot be used together
             */
            SslContext context() {
                // The JDK's TLS: no native library has to fit the platform.
                SslContextBuilder builder = GrpcSslContexts.configure(SslContextBuilder.forClient(), SslProvider.JDK);
                if (!authorities.isEmpty()) {
                    builder.trustManager(authorities);
                }
                switch (identity) {
                    case Identity.Anonymous _ -> {}
                    case Identity.Certificate(List<X509Certificate> chain, PrivateKey key) ->
                        builder.keyManager(key, chain);
                }
                try {
                    return builder.build();
                } catch (SSLException e) {
                    throw new IllegalArgumentException("TLS to etcd cannot be set up: " + e.getMessage(), e);
                }
            }
        }
    }

    /** What the service shows in the handshake. */
    public sealed interface Identity {
        /** Nothing. */
        record Anonymous() implements Identity {}

        /**
         * A client certificate.
         *
         * @param chain the certificate and those that lead to its authority, in this order
         * @param key of the first one
         */
        record Certificate(List<X509Certificate> chain, PrivateKey key) implements Identity {
            /** Copies. */
            public Certificate {
                chain = List.copyOf(chain);
            }

            /** The subject; not the key. */
            @Override
            public String toString() {
                return chain.getFirst().getSubjectX500Principal().getName();
            }
        }
    }

    /** A user of etcd's own authentication. */
    public sealed interface Login {
        /** None: etcd asks for none, or takes the client certificate's common name. */
        record None() implements Login {}

        /** A name and its password. */
        record Password(String user, String password) implements Login {
            /** The user; not the password. */
            @Override
            public String toString() {
                return user;
            }
        }
    }

    /** True when nobody between the two ends can read what is sent to this endpoint. */
    static boolean isPrivate(URI endpoint) {
        String host = endpoint.getHost().toLowerCase(Locale.ROOT);
        return "https".equals(endpoint.getScheme())
                || host.equals("localhost")
                || host.equals("[::1]")
                || host.matches("127\\.[0-9]+\\.[0-9]+\\.[0-9]+");
    }
}
