// SPDX-License-Identifier: GPL-2.0
// The fast path of a node: packets of flows that the rules have just let pass take a short cut past them.
//
// from_device sees each packet that a pod, or another node, sends (tc ingress); to_device each one that leaves for a pod or
// another node (tc egress). The first packets of a flow go through the whole kernel: bridge, connection tracking, nf_tables,
// routing. from_device stamps one of them with the epoch of the rules. What comes out at the other end with the stamp of now
// was let pass by the rules of now: to_device writes down where it went, and from_device sends what follows there by itself.
//
// - A flow is one direction of a TCP or UDP connection, by the device it comes in and its addresses and ports. It is stamped
//   only where conntrack has seen both directions (IPS_ASSURED), has TCP established, and translates nothing. Of one that is
//   translated this is written down, so that it costs no more than to find that.
// - For LIFE_NS: then a packet goes the long way again, which keeps conntrack's entry alive, follows a route or a neighbour
//   that has changed, and meets rules that another program has made.
// - node-shim makes the epoch odd before it changes a rule, and another even number afterwards. While it is odd nothing
//   is stamped and nothing takes the short cut: no packet passes by rules that are not there any more.
// - The lease ends by itself when node-shim does not renew it: rules that nobody keeps are asked each time.
// - A packet with SYN, FIN or RST, with IP options or a VLAN tag, a fragment, one whose TTL ends here or that is too long for
//   its device goes the long way: what is done about it is the kernel's work. FIN and RST end the short cut of both directions, so that
//   conntrack sees how the connection ends.
//
// Maps and struct layouts: FastPathProgram.java.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define LIFE_NS 1000000000ULL
#define FLOWS 32768
#define PODS 4096

// IP_MF and IP_OFFSET of net/ip.h.
#define FRAGMENT 0x3fff
#define MACS (2 * ETH_ALEN)

// enum ip_conntrack_status, linux/netfilter/nf_conntrack_common.h, and enum tcp_conntrack, nf_conntrack_tcp.h.
#define IPS_ASSURED (1 << 2)
#define IPS_SRC_NAT (1 << 4)
#define IPS_DST_NAT (1 << 5)
#define IPS_DYING (1 << 9)
#define TCP_CONNTRACK_ESTABLISHED 3

// What is read of struct nf_conn, net/netfilter/nf_conntrack.h; where it lies the loader learns from the kernel's BTF.
struct ip_ct_tcp {
    __u8 state;
} __attribute__((preserve_access_index));

union nf_conntrack_proto {
    struct ip_ct_tcp tcp;
} __attribute__((preserve_access_index));

struct nf_conn {
    unsigned long status;
    union nf_conntrack_proto proto;
} __attribute__((preserve_access_index));

// struct bpf_ct_opts, net/netfilter/nf_conntrack_bpf.c: the part that every kernel since 5.18 takes.
struct bpf_ct_opts {
    __s32 netns_id;
    __s32 error;
    __u8 l4proto;
    __u8 dir;
    __u8 reserved[2];
};

extern struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *skb, struct bpf_sock_tuple *tuple, __u32 tuple_size,
                                         struct bpf_ct_opts *opts, __u32 opts_size) __ksym;
extern void bpf_ct_release(struct nf_conn *ct) __ksym;

// An IPv6 address, or an IPv4 one as ::ffff:a.b.c.d.
struct address {
    __be32 word[4];
};

struct flow {
    __u32 ifindex;  // Where it comes in.
    struct address source;
    struct address destination;
    __be16 source_port;
    __be16 destination_port;
    __u32 protocol;
};

struct way {
    __u64 until;    // CLOCK_MONOTONIC, ns.
    __u32 ifindex;  // Where it leaves; 0: it goes the long way.
    __u16 epoch;
    __u8 to_pod;
    __u8 reserved;
    __u8 macs[MACS];
    __u32 padding;
};

struct state {
    __u64 until;  // End of the lease, CLOCK_MONOTONIC, ns.
    __u32 epoch;  // Odd: the rules are being changed.
    __u32 bridge; // Index of the pods' bridge.
    __be16 tunnel_port; // UDP port of VXLAN: what is inside is looked at when it comes out.
    __u8 reserved[6];
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, FLOWS);
    __type(key, struct flow);
    __type(value, struct way);
} flows SEC(".maps");

// The node's end of each pod's veth by the pod's addresses.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, PODS);
    __type(key, struct address);
    __type(value, __u32);
} pods SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct state);
} state SEC(".maps");

// How many packets took the short cut.
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} packets SEC(".maps");

static __always_inline struct state *rules_state(void) {
    __u32 first = 0;
    return bpf_map_lookup_elem(&state, &first);
}

static __always_inline void put_ipv4(struct address *to, __be32 address) {
    to->word[2] = bpf_htonl(0xffff);
    to->word[3] = address;
}

static __always_inline void put_ipv6(struct address *to, const struct in6_addr *address) {
    __builtin_memcpy(to, address, sizeof *to);
}

enum kind {
    LONG_WAY, // Whatever the flow.
    FLOW,
    END, // Of a TCP connection: the long way, and so all that follow.
};

// What a packet is, and where it is not LONG_WAY its flow, without its device.
static __always_inline enum kind parse(struct __sk_buff *skb, const struct state *rules, struct flow *flow) {
    void *end = (void *)(long)skb->data_end;
    struct ethhdr *eth = (void *)(long)skb->data;
    void *transport;

    // A tag that the kernel has taken out of the frame would go with it.
    if (skb->vlan_present || (void *)(eth + 1) > end)
        return LONG_WAY;
    if (eth->h_proto == bpf_htons(ETH_P_IP)) {
        struct iphdr *ip = (void *)(eth + 1);

        if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl != 5)
            return LONG_WAY;
        if ((ip->frag_off & bpf_htons(FRAGMENT)) || ip->ttl <= 1)
            return LONG_WAY;
        put_ipv4(&flow->source, ip->saddr);
        put_ipv4(&flow->destination, ip->daddr);
        flow->protocol = ip->protocol;
        transport = ip + 1;
    } else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
        struct ipv6hdr *ip = (void *)(eth + 1);

        if ((void *)(ip + 1) > end || ip->version != 6 || ip->hop_limit <= 1)
            return LONG_WAY;
        put_ipv6(&flow->source, &ip->saddr);
        put_ipv6(&flow->destination, &ip->daddr);
        flow->protocol = ip->nexthdr;
        transport = ip + 1;
    } else {
        return LONG_WAY;
    }

    if (flow->protocol == IPPROTO_TCP) {
        struct tcphdr *tcp = transport;

        if ((void *)(tcp + 1) > end || tcp->syn)
            return LONG_WAY;
        flow->source_port = tcp->source;
        flow->destination_port = tcp->dest;
        return tcp->fin || tcp->rst ? END : FLOW;
    }
    if (flow->protocol == IPPROTO_UDP) {
        struct udphdr *udp = transport;

        if ((void *)(udp + 1) > end || udp->dest == rules->tunnel_port)
            return LONG_WAY;
        flow->source_port = udp->source;
        flow->destination_port = udp->dest;
        return FLOW;
    }
    return LONG_WAY;
}

// What routing does to a header: the TTL or hop limit, which parse() found to be more than 1, and the MAC addresses.
static __always_inline bool route(struct __sk_buff *skb, const struct way *way) {
    void *end = (void *)(long)skb->data_end;
    struct ethhdr *eth = (void *)(long)skb->data;

    if ((void *)(eth + 1) > end)
        return false;
    if (eth->h_proto == bpf_htons(ETH_P_IP)) {
        struct iphdr *ip = (void *)(eth + 1);

        if ((void *)(ip + 1) > end)
            return false;
        // RFC 1141: one less there is one more here, with the carry around the end.
        __u32 check = (__u32)ip->check + bpf_htons(0x0100);
        ip->check = (__u16)(check + (check >= 0xffff));
        ip->ttl--;
        __builtin_memcpy(eth, way->macs, MACS);
        return true;
    }
    struct ipv6hdr *ip = (void *)(eth + 1);

    if ((void *)(ip + 1) > end)
        return false;
    __u8 hop_limit = ip->hop_limit - 1;

    __builtin_memcpy(eth, way->macs, MACS);
    // A device's checksum of the whole packet is kept right; IPv4's header has one of its own that makes up for it.
    return bpf_skb_store_bytes(skb, sizeof *eth + offsetof(struct ipv6hdr, hop_limit), &hop_limit, sizeof hop_limit,
                               BPF_F_RECOMPUTE_CSUM) == 0;
}

enum tracked {
    UNKNOWN, // Or young: no short cut yet.
    PLAIN,
    TRANSLATED,
};

// What conntrack knows of a flow.
static __always_inline enum tracked look_up(struct __sk_buff *skb, const struct flow *flow) {
    struct bpf_ct_opts opts = {.netns_id = BPF_F_CURRENT_NETNS, .l4proto = (__u8)flow->protocol};
    struct bpf_sock_tuple tuple = {};
    struct nf_conn *ct;
    unsigned long status;
    __u8 tcp_state;
    __u32 size;

    if (skb->protocol == bpf_htons(ETH_P_IP)) {
        tuple.ipv4.saddr = flow->source.word[3];
        tuple.ipv4.daddr = flow->destination.word[3];
        tuple.ipv4.sport = flow->source_port;
        tuple.ipv4.dport = flow->destination_port;
        size = sizeof tuple.ipv4;
    } else {
        __builtin_memcpy(tuple.ipv6.saddr, &flow->source, sizeof tuple.ipv6.saddr);
        __builtin_memcpy(tuple.ipv6.daddr, &flow->destination, sizeof tuple.ipv6.daddr);
        tuple.ipv6.sport = flow->source_port;
        tuple.ipv6.dport = flow->destination_port;
        size = sizeof tuple.ipv6;
    }
    ct = bpf_skb_ct_lookup(skb, &tuple, size, &opts, sizeof opts);
    if (!ct)
        return UNKNOWN;
    status = ct->status;
    tcp_state = ct->proto.tcp.state;
    bpf_ct_release(ct);
    if ((status & (IPS_ASSURED | IPS_DYING)) != IPS_ASSURED)
        return UNKNOWN;
    if (status & (IPS_SRC_NAT | IPS_DST_NAT))
        return TRANSLATED;
    return flow->protocol != IPPROTO_TCP || tcp_state == TCP_CONNTRACK_ESTABLISHED ? PLAIN : UNKNOWN;
}

// Whether a flow without a way may have one by this packet.
static __always_inline bool is_eligible(struct __sk_buff *skb, const struct flow *flow, __u16 epoch, __u64 now) {
    struct way none = {.until = now + LIFE_NS, .epoch = epoch};

    switch (look_up(skb, flow)) {
    case PLAIN:
        return true;
    case TRANSLATED:
        bpf_map_update_elem(&flows, flow, &none, BPF_ANY);
        return false;
    default:
        return false;
    }
}

// Forgets a connection: the answers come in where its packets leave.
static __always_inline void forget(const struct flow *flow, const struct way *way) {
    struct flow reverse = {
        .ifindex = way->ifindex,
        .source = flow->destination,
        .destination = flow->source,
        .source_port = flow->destination_port,
        .destination_port = flow->source_port,
        .protocol = flow->protocol,
    };

    bpf_map_delete_elem(&flows, &reverse);
    bpf_map_delete_elem(&flows, flow);
}

SEC("tc")
int from_device(struct __sk_buff *skb) {
    struct state *rules = rules_state();
    struct flow flow = {};
    __u64 now = bpf_ktime_get_coarse_ns();
    __u32 first = 0, mtu = 0;
    enum kind kind;
    __u64 *counted;
    struct way *way;

    // Whatever a pod has written there is no stamp.
    skb->tc_index = 0;
    if (!rules || (rules->epoch & 1) || rules->until < now)
        return TC_ACT_UNSPEC;
    kind = parse(skb, rules, &flow);
    if (kind == LONG_WAY)
        return TC_ACT_UNSPEC;
    flow.ifindex = skb->ifindex;
    way = bpf_map_lookup_elem(&flows, &flow);
    if (kind == END) {
        if (way)
            forget(&flow, way);
        return TC_ACT_UNSPEC;
    }
    if (!way || way->epoch != (__u16)rules->epoch || way->until < now) {
        if (is_eligible(skb, &flow, (__u16)rules->epoch, now))
            skb->tc_index = (__u16)rules->epoch;
        return TC_ACT_UNSPEC;
    }
    // Of one that is too long, or has segments that are, the kernel tells its sender.
    if (!way->ifindex || bpf_check_mtu(skb, way->ifindex, &mtu, 0, BPF_MTU_CHK_SEGS))
        return TC_ACT_UNSPEC;
    if (!route(skb, way))
        return TC_ACT_SHOT;
    counted = bpf_map_lookup_elem(&packets, &first);
    if (counted)
        (*counted)++;
    if (!way->to_pod)
        return bpf_redirect(way->ifindex, 0);
    // The device took it for somebody else's by its MAC address, which was the bridge's.
    bpf_skb_change_type(skb, PACKET_HOST);
    return bpf_redirect_peer(way->ifindex, 0);
}

SEC("tc")
int to_device(struct __sk_buff *skb) {
    struct state *rules = rules_state();
    struct flow flow = {};
    struct way way = {};
    __u32 *pod;

    if (!skb->tc_index || !rules || skb->tc_index != (__u16)rules->epoch || parse(skb, rules, &flow) != FLOW)
        return TC_ACT_UNSPEC;
    // The bridge has put itself in the place of the port by which it came in; anti-spoofing has held the address to that.
    flow.ifindex = skb->ingress_ifindex;
    if (flow.ifindex == rules->bridge) {
        pod = bpf_map_lookup_elem(&pods, &flow.source);
        if (!pod)
            return TC_ACT_UNSPEC;
        flow.ifindex = *pod;
    }
    pod = bpf_map_lookup_elem(&pods, &flow.destination);
    way.until = bpf_ktime_get_coarse_ns() + LIFE_NS;
    way.ifindex = skb->ifindex;
    way.epoch = (__u16)skb->tc_index;
    way.to_pod = pod && *pod == skb->ifindex;
    if (bpf_skb_load_bytes(skb, 0, way.macs, MACS))
        return TC_ACT_UNSPEC;
    bpf_map_update_elem(&flows, &flow, &way, BPF_ANY);
    return TC_ACT_UNSPEC;
}

char _license[] SEC("license") = "GPL";
