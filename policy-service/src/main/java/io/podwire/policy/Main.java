package io.podwire.policy;

import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.service.ServiceContext;
import io.podwire.common.service.ServiceRunner;
import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.publish.AnswersService;
import io.podwire.policy.publish.NodeQuestions;
import io.podwire.policy.publish.PoliciesService;
import io.podwire.policy.publish.ProgramsService;
import io.podwire.policy.publish.Publisher;
import io.podwire.policy.publish.ServicePublisher;
import io.podwire.policy.publish.ServicesService;
import io.podwire.policy.publish.WitnessSampler;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.watch.CandidateManifests;
import io.podwire.policy.watch.KubernetesSource;
import io.podwire.policy.watch.ManifestDirectory;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.Consumer;

/** policy-service. */
public final class Main {
    private Main() {}

    /** Runs until SIGTERM. */
    public static void main(String[] args) {
        ServiceRunner.run("policy-service", args, new PolicyOptions(), Main::wire);
    }

    /**
     * The service's parts.
     *
     * @throws IOException when the folder cannot be watched
     */
    public static void wire(PolicyOptions options, ServiceContext context) throws IOException {
        Optional<Path> manifests = options.manifests();
        PolicyCompiler compiler = new PolicyCompiler(options.undeclaredPods());
        EventLoop loop = context.own(new EventLoop("policy"));
        Publisher publisher =
                new Publisher(loop, compiler, new SplittableRandom(), context.meters(), options.keepRevisions());
        context.serve(new ProgramsService(publisher));
        context.serve(new PoliciesService(publisher, compiler));
        NodeQuestions questions = new NodeQuestions();
        context.serve(questions);
        context.serve(new AnswersService(publisher, compiler, CandidateManifests::parse, questions));
        ServicePublisher services = new ServicePublisher(context.own(new EventLoop("services")), context.meters());
        context.serve(new ServicesService(services));
        Consumer<ClusterDelta> sink = delta -> {
            publisher.apply(delta.withoutServices());
            services.apply(delta);
        };
        if (options.witnessPeriod().isPositive()) {
            WitnessSampler sampler = new WitnessSampler(publisher, questions, new SplittableRandom(), context.meters());
            context.own(new EventLoop("witness")).every(options.witnessPeriod(), sampler::sample);
        }
        if (manifests.isPresent()) {
            ManifestDirectory source =
                    context.own(new ManifestDirectory(manifests.get(), sink, TimeSource.SYSTEM, context.meters()));
            context.readyWhen("manifests", source::synced);
        } else {
            KubernetesSource source = context.own(KubernetesSource.connect(sink));
            context.readyWhen("kubernetes", source::synced);
        }
    }
}
