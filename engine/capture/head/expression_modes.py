# SPDX-License-Identifier: GPL-3.0-or-later
"""How expressions move the skin: what is not rigid about a head, so that it is not taken for the head's motion.

The 52 ARKit shapes of the ICT FaceKit face model (c) 2020 USC Institute for Creative Technologies, MIT licence, at the
places where the face tracker's landmarks lie on it; principal components of expressions whose weights are normal with
a standard deviation of 0.35 (lids 0.6, eyes and tongue 0.1) and left and right correlated by 0.8. Text: zlib, base 85.
"""

from __future__ import annotations

import base64
import zlib
from functools import cache

import numpy as np

from ..face.blendshape_names import BLENDSHAPES
from .canonical_face import FLOW_LANDMARKS, SOLVED_LANDMARKS, flow_places

SPREAD = 0.25
"""Of the components' standard deviations: how far people are from what is expected while they talk."""
BELIEVED = 0.8
"""How much of what the face tracker's blendshape scores say is expected."""


@cache
def expression_modes() -> np.ndarray:
    """float64 [16,80+56,3] metres: SOLVED_LANDMARKS, then flow_places(), for one standard deviation of each mode."""
    packed = np.frombuffer(zlib.decompress(base64.b85decode(_MODES)), "<i2")
    count = len(SOLVED_LANDMARKS) + len(FLOW_LANDMARKS)
    moved = packed.reshape(-1, 3, count).transpose(0, 2, 1) * (SPREAD / 100_000)
    modes = np.concatenate([moved, np.zeros((len(moved), len(flow_places()) - len(FLOW_LANDMARKS), 3))], axis=1)
    modes.setflags(write=False)
    return np.asarray(modes)


def expected_amounts(blendshapes: np.ndarray) -> np.ndarray:
    """float32 [T,16] amounts of the modes, in standard deviations, that blendshape scores [T,52] (0..1, in the order
    of ``BLENDSHAPES``) lead to expect, beyond the usual face of the capture; 0 where a row is NaN."""
    packed = np.frombuffer(zlib.decompress(base64.b85decode(_AMOUNTS)), "<i2").reshape(len(BLENDSHAPES), -1)
    table = packed.astype(np.float32) * np.float32(BELIEVED / SPREAD / 1000)
    scores = np.asarray(blendshapes, np.float32)
    known = np.isfinite(scores).all(1)
    if not known.any():
        return np.zeros((len(scores), table.shape[1]), np.float32)
    usual = np.median(scores[known], axis=0)
    return np.where(known[:, None], scores - usual, 0).astype(np.float32) @ table


_MODES = (
    "c-pO6d2F235ua}_d%f#j$9Cexj*FeMIY~gFoGFlSU!tK1p$b}+9<-vDXjKW?ib@rKw4(HYR;AE?sDwCFmC}k*6xxO}kTxNNBaqXHleHbk$9l"
    "c@^f$lv*<@q#QOVv<n|1cho0<3C9KV^jBBy?N62ddC$JCRm?$vj7o_tO2k_#m&5sXHqq;;SWykioVdKuQR)X6Tb;QO!)scIEZTv|jmBn#w|a"
    "zr20pXfieq-BhjG%5v92>2IuT=SZiiWYPQW*5MvX^Kt}$~JlRl7OtN?t&~&Om3N6jZ<F7z$Gawz(v(Kj$#%4co#JxbEHdF%X--$x5&@KYa%0"
    ">#f*wN{&nEoEEmbI<Y(S-j1=^+#$++Rk4PFb*UJ~>xALw$C?(k<_sXy3&Cv8Y)M~e02GnMz<vh@S8I)Pj-YYkQc5&cXnDS%Tr3&^li*=W=Kc"
    "~s|@aAv?V_}X}@oiZnvP|xfU9vtD6MF=sNsM}8=iLlFR>~E!P9Br%@z+&yZD=MqoT!~~uz8*|g0>5kkAQY1?Bpu&2^tG}mB71z^B9FKc#?xH"
    "G|Tz25mE=Sb2;qu7-SdKUSry)8GJU%J{{Hrx)0}YBdjvcQ*4B#sW!mU2K7aK9`@BNv!ns`oPZ87uG3De4WFahjnh3%x@ERJK1HWdHQA~okhT"
    "xcQApdTM<6W=*~ZnA6!>)GnF~JMG7o%`vP8~>on9dG!C|+)qJP$h^%r`V-tPU-TP{nb6Eo|<-)ugQ_1gZf#hjJWA)m!gyhF?E*H`tYdWE*?U"
    "^S!%t9z@r==bz@I(-hc+C8ina%Mktyh1P6kUm{K2+BW#_MN~nvj+2kVcLZGb_{#pDnIaE@y2kHqtKy*Gb_-$3pm9-y&j&B!M-Zyy@{Pw@EF("
    "E^>6wo-GVr?R`1j&^=|!)OrJxob}<=Io0--3LHi6S&j9U{m~}V#oO&$CZe6srSmxmj=HO&Hv9k;0Q&MJJE2~+Xszqjj7W3sy`3`pUM{=2*Et"
    "kquo{QKP@f0iU(;hsB5V>E|2%~01%;G)D63Jt1o8G5y={@>)obPkGsd}<b75ceHX|0g;4M;m1)_Ey3u~=gqjn4qM{1SX#g;hTX8Rk1_Sadz}"
    "gGGfl*jc-ruS<~+ELTKmbA!-uFV7&OZy=^6G17|fhiHo)xDR7&2z&V^bbL`?!dmW_0S>j=wc&p@)1ua(9t7nM(7ptleho8&#)P|VPnCIQ1W!"
    "TFku9LGtXAciLXQ~aCGaei8<?p|YLUt;(&$Q{8qp4U0xRpn-o>!XJ3`avaI$u0MJ4<@jK4#m+z49Zd$yDU$Aav(M_<Od??-%dR$9RM52;~+-"
    "^2R<q0hpnOhciyDD!;*R6X#)GAL89^K&7k3l`$6v<|Cm62k(w0dZU+mqQ!jS(z<*{HqR6Ct`5~lp|C0dtFVoS%~dS0lM`NaoCBi6XRM|;}`{"
    "(S>R)M#?Zz*`HI{x_sJ&sT?^KpWF|<;QOv#=)_*HzcTl$$MC}IVC?Fo$EI*dLvIy~d7QX2MMLm7d{HGIt&qZ!tFVp8xt6g0Fz?og7tui`wg0"
    "dU5O9IDI*t5O52Qh5~r&Yvg9;Yz`FMbYKr3caPb+t8z7?ljYMS%pj=mYwYzK1z+;=@tK%W*ZllaMut5iMBT(HY=St6d(PY^I}DprmD>Z6R%3"
    "g2sYgVIPY`xI4D`_jD_;nw?65V^wf1QhW2B0x{}QL=wXZgF2sBwMf)yR@;CxTPkNk?x5y~K#Takk(taP)H>p1J4wR{&2ngp-9{<f$s2~O{g7"
    "s|2BArbTpg!0xO9P!acPE(I3&23U^<RrZXf29u$nJ{-Xeg_Gwv4mL~MKvyE{s(tcc%+!_9M#VO|#Wd-QGW$1X^J+M7OyTJ8GqX)_Cq&4)qR3"
    "))?XuKU0zXw0+-@v#cPs*gO*Z9p4!Bc!_%4KqI2nI4A~{Y$?Kdra^|Enno+RS~A^IOBH~Gqc$1+hqD2YPHL&{gt4F6=+9Ru^1{pO4~T~SdiV"
    "8X<21|FFYdhG;)~3Hbq)%4v%HOII;3^TIed)WbLTI911rqufBB`vD+Dq@%tEgHsCSeHDo4?%vIgVnyeRf;K{ElWm`=skQl;y6=dZgEeFZQRh"
    "h5cPVEGj2JmSB8WiZ5M%-P246t544Lo@<s<Sp=wh}71CP+?$)-15Z*q?)*o$w#a776euAd;-ctefPUL?_qC^WgrhKEnEPx*Te?+W=3qnXBbS"
    "(0(427lZa$-3;1Z4I1mDpEhA%>}>MTqnTJgg38FUK^-m1;<TN`C@O>h!grG5GFXK%AjIt0iWn1<t)O}U2;^mbLc3;wL#=jJk0goi=7F{emh~"
    "!VUncE74H`QU&02g<!wxRNe%vY#`QO>Uo;cfY0?O@{E2XLq7pO)^qr^LL;M?y*lgp9qTCuNDZzedLsNE{x{uO>7$L`HSEps_2)1Zw6js?A<^"
    "eppCh2J@^H0<?(TDA!zGFV=zkaq=s*TdR!J8Ff0BhtO9_cNnZDBbh%fxS~e2Swt%Jo8GJ^=B9wb+W!)BUi&lm%~!OHAN?v=`2$9AbV|xT|NU"
    "@dm(Mq&tV=;)$Df-R(UnJEC8QI39eU8d<oZUt7<1|HI(PDr|TtITv&(Ny+VX+-#khEKYZM|+NyfhMN!Mq_Dq~u7MS9%IFA$~vFZ)_(KVEvL6"
    "X`;hz*VVMCLHeoTZ$yru<ce1J~*KI#g(3R>}9_)S9qQQASb2Xc6K`N1H;lxC(Z85zea(Ir=fbMi8#ePOcfFX~f58nGws(TxE^;E3h5fg?0An"
    "3$U3C5Wr1S))}H~AwG|T+r^O927g%0IPGcz%cJAqvKf3b$hz+{3q)y4&K?YBn>LH&QDDWepG_==SodTY&k(zE7D3DsEgu@jiZR->f%Z7+;%("
    "skBIF#`>2s*nuF;QPF?e4a&aEGKXd5UGk~VnES&p5!p_V9p@h{pUkFpky`LWXQ%5h}eUd+#Fl(Hktq~koVD9&jKPSeAgu0xg51RuG61~}AeX"
    "Hm;$hB3MX(R_tm2ihjF%BT=H_W$^&#gQ_!vp&EJ*rgJE#6{9DD<5Z3A+frxUfek*<!zntOgq(x%w{j*BIL~|slCY#f#YRdEh6WUAu7!C%jH!"
    "5sp>FN7JFx$lD=<*=tHiDo5aah*^{aGUgF}6A??|yf@fowH_IDRRu^w7jJ8><;V7OEkod$dSP$B*)BZKIYMth8>}EH1_8y%X4j*c_kkzh>2V"
    "-g$Fq_%F5w!8ZF>i98%Cw*&VpO+$UA_$r>iN33y*AuC#Cqg0zt3J_)T|>yH2bp}{0i1mJvj3ry+)?bp;o(;f1+jb8Ud%n_}8M(kcK{HtTw{d"
    "A+vr$*2-n_1$F>jByqME!;YFQtnz&;#^@LJXU2#Fx=3O5`fT~?3~;E`u2r003+GzzH%)|Ob{GvD3wqh^+wDMwod_2ZtUhcJ>t>DVA+_Fjlq-"
    "qC(iX{i@V-sJm!E@WE(F4CB4(@ON~(UR$11F2+Qxc%K2Bhih@r|_@B@7b5#T9(TpvZHy9e>`WSuhXq=m4CMRE>g-41DINjs!9BFY+9>koaPu"
    "Yk*Mz-KGs-X6#ZT4#iN6!Gzji+ILu8T>!a-gAuWba^^SL^l_@pMlRg_&m+89m_suvXzz~Go$aowp?~8a-Gh)v&aC}VLzn*!Dk;n4}3(OT~BY"
    "b+&LRE)<N1Fob!BWQX*Gn?(E0x*TJU`HRhp@S!Wo#(+Msq)>Y!a%~Mvg^F5yxp+(E6j|fWeh#~A{FV4pLXBBoc`|xdr-tOL3t-S?&{T4JRXg"
    "woPNgXPQLRu3}svY)W^~}kyl$dNMZyd6EAnh<ta6i^KqQ=#6iZd^r11@QHj52zb+>9#bDx6X$xLY5(1E(^I*&*beerV$Ss*ygEz`PE~+l`S;"
    "__Pj41o>(nyH5$cGg$cms*;@c&H#s6?G`|Do4Ew52(i8^fc6OdAcq|d8e0U}DV&=puG3`5qyapWz@S}N^)gCG(Sq$(D8Vka;q41Cs}(zESlo"
    "I~S<FwtLj^nDfczK7o==}ct#&cQ2AgTO8DqqF%Ry^i5eJ{3v7lE7{xybYoLQ_wd=L_MgL@P^K1z=oQFjY5&P;Fwi0ye)m^)xm4Pv)O)*p!z4"
    "TmR@k#!5^VvUXT>Xf)!2&<-=aIT9{v#gcVp><BD-r)_gduVZM0J3&K+76t%d56uOOHNVnUJMQ!@ouN@EtGy#H(P<9GqCb;*meW<dnsfeLVcd"
    "V9;MmYNU=khW*2rjq**t08&-XodzWGVOko`tN{0AuD{AR&Gr*x%y9PO+Hq&fUvEGb!026Fw-|VmkjrIAxv@llJ#LiSbZw6XrC+|0hnOjOkpd"
    "n)FBqF+5|6#SvGXRbrZNDBP&Cs$D*)b{o>>Ev=L#=l8V)tzsSaSn2V<T#(RiHH50Sy`pwp-=hRG4*R!tY=7A}fS=V^&9+s$Y8;#;`~~PwYNC"
    "4wU<hx|&28ZI!ncS?JsjkF65p7dSWM%d$H)%LhmBc>t@Mg*tg^UI|Ir@8&f?)+(a9h#1N(@pjcviLLmE?j(jP>ntMYe%{s%vAS(XHo8_mjU4"
    "#~Y|i3jlE@;#?r?(lQ4#jp=OJeHf<xTTttn#Y9P0W(M0o3^Mu4lP&!JYkYvmYcS})0B`JnCwZIS(@c;J}Fn$z9x+ODQ$4KUx8*xl3F*LL?m?"
    "$-nnzh^hBG4>Xs{I=|8z8H3AgItQ}*@5rsp;bwz&!JYkHIv=YH1GKH@Z%05hjw4Wsm6j{^+ZD!L!$n@dy)2Q_fRePb{YL(0;enMBeR||?;r%"
    "$n<pBw9<TXlj5pHCDAU8dW_R{E_55nWV-;1^D3OGD#Z){rm$Kb&eyZed(rkVMti-rFG#{ew#>ceF5fvSP&yBHivOAOvqelzI`ZYr9n$Nr6CP"
    "oU2Bh9d<4e*^~x*7;C!JCUB=a>8*h{s%+p8*cF+8MUBnPu*Im9b4&p+~_dXe<e9?iRxk5#Optpxq!Wu3wvZQ{TxO@|a)Y+N++LcW?#i$v%?D"
    "b>)aJtE?ldGr*x%yAhqknWksnN1@}qgR`nNXzawQ$JPC22U)#a?t}%7v0f?pH>Zt6=L_IL1MG-p{VLeab@6f#yff@E=HXk@=TNJiX>Kzeb%_"
    "W!!`qZRk;<vZg8Z`)d7_n3AmY~vt{;`a4lf}VuE#Ucm2~~x3UrUMSCfEkj^ca<{CibbO}HNG7-HdW*yADo)@GtJ8uRa*l8irw#STu<Zw_U<y"
    "Pq-MbVeCZEw}cOtN8ckc4J-QnU3*%PyMQ}25`TGnz*+z`>C+D>f@@s$&S1E#UOmUtYLAT>n&=%?3DjYDD`_NWl~suH;1cIorppa{w}VC5?tr"
    "{f+;!`DO>1;CGOsYG>=tc8|z6IL8Fs=RBP?l<Gq#LpI(QGxsG>03BPL<Wt~485pNYvvKt(m7$GO-+N*%mE3^Aj;!W)IIn-)5u1U^x)K$NmQX"
    "=}U295=tXBL>^2)pa<_Moa0736jx&poiZ+~n`x)W2V-!b)<iJ=_hzJUl68(Xii*b5-mbITPq|J~3L%Uxn+igor7U{N0~U(XUTUwyW9;tTJ-6"
    "UhBcn5##DS+2!2^T5t4Ye%}{jkHip5$nP1tzSbB}jQvtDPRp3krOFs`%>R9<MUg#>4aeAtuBuLULoEj%M`gU9`h_QZaUo`$7XLS{hO`$>(aE"
    "~dUG%8}vF|8-zCbT8s&RF{H;B@T<IKYrL;eSt{RAH"
)
_AMOUNTS = (
    "c-no`e@vBC7zgn0d0#H~Cin{|Oq2d-x{<~x#9aJx;LJbD3@Sq%l1OEva`TV2k~9_PEVi~*PD&#hmQ!0<E-R=IMl;E=D9q4GO>!ZzLgMn?_dV"
    "a9bM4(;N9%6)-22|oInQ~{InTMk|Gy$Q%6?Ar9>fvO#vDXBsP|h<dK=E#jiLO}p#MnYsmk|Crz4V%L1rR5l)*VR@DNr@%y9UKbB_*d6W_*cO"
    "hK3Z3=d->K9>mHsMa|sR$cbj(I=CFK1}1;^nHH#l`A`}U%cXkUcAjTiMQ4*4FQ|&kL}Ea)_DAvP_EZ<CZ5-6-frulz6|Bm=%_oLud^QcR?r{"
    "wj5Fl>26lJ=2@KGNrpcBZWuknJ@-z$3%<+C5d~fGUdA6X$L-44XAZ;R&Fco7w$yxZ6LAPMsq3?ZM3=>~T>&U#M$B4)XPf1^gVT7)61><4(KE"
    "{~jq~hn8hzZh$<b2HhnXu%$L-#-2%zxDrB_B)XqpU6}@34%B;39|ltNb=m^u}v^jK*iccbC8MX1pk(P{+@>O!8Zf61|?4`fmBH6(<n%_i4OU"
    "`Ch`@fA`mlw@UU{NmNhPr6gZZ_B!aKakGb4-JHTMRjkgbGQJv1lfD;YXQIFkiBxT^rdjtSq#{`|PsdHz8alzrSQ0wRPTq@tHYGPjKKc7hEKA"
    "j)U(J{PJ^C$a^Q5L1s-|({YaKKGsN;{X7_J!IX?>3-EJY;JD7~lar=%)Z=#6ffT@|m-dDzJ={V?(|mm{h~jp#bvfqbQKif!Ij20cj|e@^*cW"
    "YtQ$5k35hyY)vr$nCff&1!%>ESLEgp^8C&0LE8p-&?o`g>dxC_B7O>P1cj*-5~At*npp6W%0tuRd0G7Y5;RFS)ZKvhMlDkg(~HY8}KuG-D9!"
    "6{E#_PQ5QJGK~}JVcOnZpvLi|I8Dr2>Vf;9K|5mF01zB0UoK_Z=@KKqi8)?#`3Y+zND3odndIODLhVRFu>TXw;IAD|Ys!R6sPrXcX-Xs+@&p"
    "j|M|2zIN`Ik9<{<qqN3Aai7ccfZdm?FJPQ2=wBJGlvm;^*s19ar-fq+q=~Z{s;>r{P(a;fJ`ttMXJMzvBU9$kXH27WtRk!Vg%_De-%igx}-$"
    "dIlEA(*z93sC3*fH~f5j{3V>$``swkscdbBD|9AP+*~yzBVNNUr;kDRqQ?KQeP0)vg<iSOMS3c}(A)W?<?%SGR6S~up;mDwix~8Up7A}}_X}"
    "u4GivlIK8<QDP@PsDpJ2PQ91W`2>*8VVQ$fGWGhPt#eW_G(sVZ{U@Ecvu#rApo3Ln9W;Xd8OZn+P86BenUXSl}qCHuZ6)}sFbGE&i{"
)
